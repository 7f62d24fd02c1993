"""A PipelineRun as somebody writes it, and what is told to be wrong with it."""

from __future__ import annotations

from typing import Any

from vaportrail.crd.validation.validate import problems_of, read_pipelinerun

__all__ = ["RUN", "told", "with_ray", "with_spec"]

Object = dict[str, Any]

RUN: Object = {
    "apiVersion": "vaportrail.dev/v1alpha1",
    "kind": "PipelineRun",
    "metadata": {"name": "mnist"},
    "spec": {
        "pipeline": "mnist",
        "entrypoint": "pipeline:mnist",
        "image": "mnist",
        "record": {"uri": "s3://runs/mnist"},
        "ray": {"workers": [{"name": "cpu"}]},
    },
}


def with_spec(**spec: Any) -> Object:
    return {**RUN, "spec": {**RUN["spec"], **spec}}


def with_ray(**ray: Any) -> Object:
    return with_spec(ray={"workers": [{"name": "cpu"}], **ray})


def told(raw: Object) -> list[str]:
    return [str(problem) for problem in problems_of(read_pipelinerun(raw))]
