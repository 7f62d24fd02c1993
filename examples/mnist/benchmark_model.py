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
# # How good is a model?
#
# The model is run as ONNX, as it would be in production, on images that it has not seen. For each
# digit it is judged as a detector of that digit against all others.

# %% tags=["parameters"]
model = None  # the ONNX file, from `train_model`
split = None  # the digits, from `split_train_test`
n = 600  # how many images the model trained on

# %%
import json

import numpy as np
import onnxruntime
from sklearn.metrics import roc_auc_score, roc_curve

from classifier import INPUT
from digits import CLASSES
from figures import grid, keep
from vaportrail import log, output

if split is None:  # opened in Jupyter, outside a run
    from pipeline import ingest, split_train_test

    split = split_train_test(ingest(), ratio=0.7)
if model is None:
    from pipeline import train_model

    model = train_model(n, split)

# %% [markdown]
# ## The ONNX model

# %%
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1  # a task has one CPU unless it asks for more
session = onnxruntime.InferenceSession(model.read(), options, providers=["CPUExecutionProvider"])


def describe(nodes):
    """Return what the inputs or outputs of a model are."""
    return [{"name": node.name, "shape": node.shape, "type": node.type} for node in nodes]


structure = {"inputs": describe(session.get_inputs()), "outputs": describe(session.get_outputs())}
log.json("onnx_io_structure.json", structure)
print(json.dumps(structure, indent=2))

# %%
labels = split.test.labels
[probabilities] = session.run(["probabilities"], {INPUT: split.test.images})
assert probabilities.shape == (len(labels), len(CLASSES))

# %% [markdown]
# ## Probabilities
#
# What the model gives to each digit, for the images that show it and for those that do not. The
# better it is, the farther these two lie apart. The number of images is on a logarithmic scale.

# %%
titles = [f"digit {digit}" for digit in CLASSES]
edges = np.linspace(0, 1, 21)

figure, plots = grid(titles, xlabel=f"probability, by the model of {n} images", ylabel="images")
for digit, axes in zip(CLASSES, plots, strict=True):
    shown = labels == digit
    axes.stairs(np.histogram(probabilities[~shown, digit], edges)[0], edges, label="other")
    axes.stairs(np.histogram(probabilities[shown, digit], edges)[0], edges, label="this digit", fill=True)
plots[0].set(yscale="log", ylim=(0.5, len(labels)))
plots[0].legend(fontsize="x-small")
keep("per-digit-probabilities.png", figure)

# %% [markdown]
# ## ROC curves, one digit against the rest

# %%
roc_auc_per_digit = {}
figure, plots = grid(titles, xlabel="false positive rate", ylabel="true positive rate")
for digit, axes in zip(CLASSES, plots, strict=True):
    false_positives, true_positives, _ = roc_curve(labels == digit, probabilities[:, digit])
    area = float(np.trapezoid(true_positives, false_positives))
    roc_auc_per_digit[str(digit)] = area
    axes.plot(false_positives, true_positives)
    axes.text(0.95, 0.1, f"AUC {area:.4f}", ha="right", fontsize="x-small")
keep("per-digit-roc-curves.png", figure)

# %% [markdown]
# ## The score
#
# The mean of the ten areas. It must be what scikit-learn makes of the same probabilities.

# %%
roc_auc_class_mean = float(np.mean(list(roc_auc_per_digit.values())))
expected = roc_auc_score(labels, probabilities, average="macro", multi_class="ovr")
np.testing.assert_allclose(roc_auc_class_mean, expected, rtol=1e-9)

log.json("roc_auc_per_digit", roc_auc_per_digit)
log.metrics("roc_auc_per_digit", roc_auc_per_digit)
log.metric("roc_auc_class_mean", roc_auc_class_mean)
output(n=n, roc_auc_class_mean=roc_auc_class_mean)
print(f"mean AUC {roc_auc_class_mean:.5f} with {n} training images")
