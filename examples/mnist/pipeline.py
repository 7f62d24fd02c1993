"""Train digit classifiers on more and more images, and see how much each addition helps.

    vaportrail run examples/mnist/pipeline.py:mnist
    vaportrail run examples/mnist/pipeline.py:mnist -p train_sizes='[400, 500, 600]'

Libraries that take seconds to import are imported by the functions that need them, so that looking
at the pipeline (its tasks, its parameters, `--help`) takes none of that time.
"""

from __future__ import annotations

import logging
from typing import Any

from digits import Digits, Split, load, stratified
from vaportrail import Artifact, log, notebook, pipeline, task

__all__ = ["benchmark_model", "eda", "ingest", "mnist", "split_train_test", "summary", "train_model"]

eda = notebook("eda.py", timeout="2m")
benchmark_model = notebook("benchmark_model.py", timeout="2m")
summary = notebook("summary.py", timeout="2m")


@task(timeout="60s")
def ingest() -> Digits:
    """Get the images."""
    data = load()
    log.json("data_shape", data.images.shape)
    log.json("target_shape", data.labels.shape)
    return data


@task(timeout="60s")
def split_train_test(data: Digits, ratio: float) -> Split:
    """Set the images aside that no model may train on.

    Args:
        data: all images.
        ratio: the share of them to train on.
    """
    split = stratified(data, ratio, seed=1)
    log.params({"nr_digits_train": len(split.train), "nr_digits_test": len(split.test)})
    return split


@task(timeout="60s")
def train_model(n: int, split: Split) -> Artifact:
    """Train a model on `n` of the images and keep it as ONNX.

    Args:
        n: how many images of `split.train` to train on; some must be left over.
        split: the images.
    """
    from classifier import fit, max_prob_differs, to_onnx

    chosen = stratified(split.train, n, seed=123).train
    log.param("nr_train_images", len(chosen))
    logging.getLogger(__name__).info("training on %d images", len(chosen))
    model = fit(chosen)
    log.metric("nr_max_prob_neq_label", max_prob_differs(model, chosen))
    return log.artifact("model.onnx", to_onnx(model))


@pipeline
def mnist(train_sizes: list[int] = [600, 800, 1000, 1200]) -> dict[str, Any]:
    """Explore the digits; train and benchmark a model for each size; compare them.

    Args:
        train_sizes: how many images each model trains on, 1247 at most.
    """
    data = ingest()
    eda(data=data)
    split = split_train_test(data, ratio=0.7)
    models = [train_model(n, split) for n in train_sizes]
    scores = [
        benchmark_model(model=model, split=split, n=n) for n, model in zip(train_sizes, models, strict=True)
    ]
    return summary(scores=scores)
