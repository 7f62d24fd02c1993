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
# # The digits
#
# What the images are, before any of them trains a model: how many there are of each digit, which
# values their pixels take, and what they look like.

# %% tags=["parameters"]
data = None  # all digits, from `ingest`

# %%
import numpy as np

from digits import CLASSES
from figures import keep, picture, plot, show
from vaportrail import log

if data is None:  # opened in Jupyter, outside a run
    from pipeline import ingest

    data = ingest()

# %% [markdown]
# ## What we rely on
#
# The models and the benchmark take these for granted, so a run fails here where they no longer hold.

# %%
nr_digits, pixels_per_digit = data.images.shape
assert pixels_per_digit == 8 * 8
assert data.labels.shape == (nr_digits,)
assert set(data.labels.tolist()) == set(CLASSES)
assert set(np.unique(data.images).tolist()) <= set(range(17))

log.params({"nr_digits": nr_digits, "pixels_per_digit": pixels_per_digit})
print(f"{nr_digits} images of {pixels_per_digit} pixels")

# %% [markdown]
# ## Images of each digit
#
# About as many of each, so accuracy needs no weights and a stratified split is not delicate.

# %%
counts = {str(digit): len(data.of(digit)) for digit in CLASSES}
log.json("counts_per_digit.txt", counts)

figure, axes = plot(6, 2.6, xlabel="digit", ylabel="images", ylim=(0, 1.15 * max(counts.values())))
axes.bar_label(axes.bar(list(counts), list(counts.values())), fontsize="small")
keep("logged-images/samples_per_digit.png", figure)

# %% [markdown]
# ## Pixel values
#
# Nearly half of all pixels are background.

# %%
values, pixels = np.unique(data.images, return_counts=True)
figure, axes = plot(6, 2.6, xlabel="pixel value", ylabel="pixels", xticks=range(17))
axes.bar(values, pixels)
keep("logged-images/pixel_value_counts.png", figure)

# %% [markdown]
# ## The images themselves
#
# All images of each digit go to the record; the first of them are shown here, a digit a row.

# %%
PER_ROW = 30

for digit in CLASSES:
    log.figure(f"logged-images/digits/{digit}-images.png", picture(data.of(digit), PER_ROW))

show(picture(np.concatenate([data.of(digit)[:PER_ROW] for digit in CLASSES]), PER_ROW))
