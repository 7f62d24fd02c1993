"""The model: a linear support vector machine with calibrated probabilities, kept as ONNX."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from digits import Digits

__all__ = ["INPUT", "fit", "max_prob_differs", "to_onnx"]

INPUT = "float_input_8x8_image"
"""The name of the ONNX model's only input."""


def fit(digits: Digits) -> Any:
    """Train a classifier; the same digits always give the same one."""
    from sklearn.calibration import CalibratedClassifierCV  # type: ignore[import-untyped]
    from sklearn.svm import SVC  # type: ignore[import-untyped]

    # `SVC(probability=True)` would be one object less, but goes in scikit-learn 1.11; without an
    # ensemble, calibration is what it did: one machine on all images, probabilities by 5-fold
    # cross-validation.
    model = CalibratedClassifierCV(SVC(C=0.001, kernel="linear"), ensemble=False)
    return model.fit(digits.images, digits.labels)


def max_prob_differs(model: Any, digits: Digits) -> int:
    """Count the images whose most probable digit is not the one that the machine itself votes for."""
    # A calibrated classifier's `predict` is its largest probability, so the vote is asked for below it.
    machine = model.calibrated_classifiers_[0].estimator
    most_probable = model.classes_[model.predict_proba(digits.images).argmax(axis=1)]
    return int(np.count_nonzero(most_probable != machine.predict(digits.images)))


def to_onnx(model: Any) -> bytes:
    """Convert a classifier to an ONNX file with the outputs `label` and `probabilities`."""
    from skl2onnx import convert_sklearn  # type: ignore[import-untyped]
    from skl2onnx.common.data_types import FloatTensorType  # type: ignore[import-untyped]

    pixels = FloatTensorType([None, model.n_features_in_])
    with warnings.catch_warnings():
        # skl2onnx reads these two attributes of every SVC, also of one without probabilities.
        warnings.filterwarnings("ignore", r"Attribute `prob[AB]_` was deprecated", category=FutureWarning)
        converted = convert_sklearn(
            model,
            initial_types=[(INPUT, pixels)],
            # Without this the probabilities are a list of dicts, one an image, not a tensor.
            options={id(model): {"zipmap": False}},
        )
    return bytes(converted.SerializeToString())
