"""The model: a linear support vector machine with calibrated probabilities, kept as ONNX."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from digits import CLASSES, Digits

__all__ = ["INPUT", "fit", "max_prob_differs", "to_onnx"]

INPUT = "float_input_8x8_image"
"""The name of the ONNX model's only input."""


def fit(digits: Digits) -> Any:
    """Train a classifier; the same digits always give the same one."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC

    # `SVC(probability=True)` would be one object less, but goes in scikit-learn 1.11. The ensemble
    # averages the machines of five folds, each calibrated on the fold that it has not seen.
    model = CalibratedClassifierCV(SVC(C=0.001, kernel="linear"), ensemble=True, cv=5)
    return model.fit(digits.images, digits.labels)


def max_prob_differs(model: Any, digits: Digits) -> int:
    """Count the images whose most probable digit is not the one that most of the machines vote for."""
    # A calibrated classifier's `predict` is its largest probability, so the votes are asked for below it.
    machines = [calibrated.estimator for calibrated in model.calibrated_classifiers_]
    votes = np.stack([machine.predict(digits.images) for machine in machines])
    voted = np.array([np.bincount(image, minlength=len(CLASSES)).argmax() for image in votes.T])
    most_probable = model.classes_[model.predict_proba(digits.images).argmax(axis=1)]
    return int(np.count_nonzero(most_probable != voted))


def to_onnx(model: Any) -> bytes:
    """Convert a classifier to an ONNX file with the outputs `label` and `probabilities`."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    pixels = FloatTensorType([None, model.n_features_in_])
    with warnings.catch_warnings():
        # skl2onnx reads these two attributes of every SVC, also of one without probabilities.
        warnings.filterwarnings("ignore", r"Attribute `prob[AB]_` was deprecated", category=FutureWarning)
        converted = convert_sklearn(
            model,
            name="digits",  # by default a random one, which would make each file another
            initial_types=[(INPUT, pixels)],
            # Without this the probabilities are a list of dicts, one an image, not a tensor.
            options={id(model): {"zipmap": False}},
        )
    # They come in the order of a set of strings, which is another one in about every 40th process.
    converted.opset_import.sort(key=lambda opset: opset.domain)
    return bytes(converted.SerializeToString())
