# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What do more training images bring?
#
# The scores of all benchmarks of this run, next to each other.

# %% tags=["parameters"]
# From `benchmark_model`, one for each model. These are from an earlier run, so that the notebook can
# be opened by itself.
scores = [
    {"n": 600, "roc_auc_class_mean": 0.99516},
    {"n": 800, "roc_auc_class_mean": 0.99580},
    {"n": 1000, "roc_auc_class_mean": 0.99607},
    {"n": 1200, "roc_auc_class_mean": 0.99682},
]

# %%
from IPython.display import Markdown

from figures import keep, plot
from vaportrail import output

table = sorted(scores, key=lambda score: score["n"])
rows = [f"| {score['n']} | {score['roc_auc_class_mean']:.5f} |" for score in table]
Markdown("\n".join(["| training images | mean AUC |", "|---:|---:|", *rows]))

# %%
sizes = [score["n"] for score in table]
figure, axes = plot(6, 3, xlabel="training images", ylabel="mean AUC over the digits", xticks=sizes)
axes.plot(sizes, [score["roc_auc_class_mean"] for score in table], "o-")
axes.ticklabel_format(axis="y", useOffset=False)
axes.grid(alpha=0.3)
keep("auc-roc-model-performances.png", figure)

# %%
output(table=table)
