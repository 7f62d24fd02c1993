"""What the operator asks of a pod, read from the pod's environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from vaportrail.contract.versions import unread_version
from vaportrail.errors import UsageError

__all__ = ["read_request"]

R = TypeVar("R", bound=BaseModel)


def read_request(kind: type[R], variable: str, environ: Mapping[str, str], *, to: str) -> R:
    """Return what a variable asks for.

    Args:
        kind: the request's.
        variable: what holds it, as JSON.
        environ: the process's environment.
        to: what is asked, such as ``seal a run``.

    Raises:
        UsageError: there is none, it is of a release that is not read here, or it is wrong. What it holds
            is not said: a parameter may be secret.
    """
    text = environ.get(variable)
    if text is None:
        raise UsageError(f"{variable} is not set; it holds what to {to.partition(' ')[0]}")
    if other := unread_version(text):
        raise UsageError(f"{variable} cannot be read: {other}")
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise UsageError(f"{variable} is not a request to {to}: {'; '.join(wrong)}") from None
