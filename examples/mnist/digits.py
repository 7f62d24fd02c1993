"""The data that the tasks hand to each other: images of handwritten digits with their labels.

The types live in a module of their own, and not in `pipeline.py`, so that a notebook's kernel can
unpickle them without importing the pipeline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLASSES", "Digits", "Images", "Labels", "Split", "load", "stratified"]

Images: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.int64]

CLASSES = tuple(range(10))
"""The labels, in the order of a model's probabilities."""


@dataclass(frozen=True, eq=False, slots=True)
class Digits:
    """Images and what they show.

    Attributes:
        images: one row of 64 pixels an image (8 x 8, row by row), whole numbers from 0 to 16.
        labels: the digit that each image shows.
    """

    images: Images
    labels: Labels

    def __post_init__(self) -> None:
        if self.images.ndim != 2 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(f"{self.images.shape} images do not go with {self.labels.shape} labels")

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, digit: int) -> Images:
        """Return the images of one digit."""
        images: Images = self.images[self.labels == digit]
        return images


@dataclass(frozen=True, eq=False, slots=True)
class Split:
    """Digits to train on, and others to test on."""

    train: Digits
    test: Digits


def load() -> Digits:
    """Return the 1797 digits that come with scikit-learn; nothing is downloaded."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return Digits(images.astype(np.float32), labels.astype(np.int64))


def stratified(digits: Digits, size: int | float, *, seed: int) -> Split:
    """Shuffle, and split such that each digit has the same share in both parts.

    Args:
        digits: what to split.
        size: the training part, as a number of images (int) or as a share of them (float).
        seed: the same seed gives the same split.
    """
    from sklearn.model_selection import train_test_split

    train_images, test_images, train_labels, test_labels = train_test_split(
        digits.images, digits.labels, train_size=size, stratify=digits.labels, random_state=seed
    )
    return Split(Digits(train_images, train_labels), Digits(test_images, test_labels))
