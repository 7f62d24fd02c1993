"""A task's exception on its way to another process: as bytes, without the secrets of this one."""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Any

from vaportrail.execution.deadline import AttemptInterrupted
from vaportrail.execution.run_cancellation import RunCancelled
from vaportrail.telemetry.redact import Redactor

__all__ = ["pickled", "unpickled"]


def pickled(error: BaseException, secrets: Redactor | None = None) -> bytes:
    """Return an exception as bytes; empty where it cannot be rebuilt from them.

    Its secrets are replaced in its arguments and attributes, in a copy. Where it would tell one all
    the same, as one that makes up its text by itself, it is not handed over: who reads it need not
    know that secret, and may write down what it says.

    Args:
        error: the exception.
        secrets: replaces them; None where there are none.
    """
    # Ray's own where Ray is, which functions and options travel by: it knows the classes of `__main__`.
    cloudpickle = importlib.import_module("ray.cloudpickle" if "ray" in sys.modules else "cloudpickle")
    try:
        raw = bytes(cloudpickle.dumps(error.with_traceback(None)))
        copy = cloudpickle.loads(raw)  # many exceptions pickle and do not unpickle
        if secrets is None or not _tells(copy, raw, secrets):
            return raw
        copy.args = tuple(map(secrets.everywhere, copy.args))
        for name, value in list(vars(copy).items()):
            setattr(copy, name, secrets.everywhere(value))
        raw = bytes(cloudpickle.dumps(copy))
        return b"" if _tells(cloudpickle.loads(raw), raw, secrets) else raw
    except AttemptInterrupted:
        raise
    except BaseException:  # one that is rebuilt by a call of `sys.exit`, say
        return b""


def unpickled(error: BaseException | bytes | None) -> BaseException | None:
    """Return an exception that may have travelled; None where it cannot be rebuilt here.

    Its class may be known to the worker only, such as by a path or a package of the task's own. To
    rebuild it is code of the user's: it belongs into the thread that asks for it.
    """
    if not isinstance(error, bytes):
        return error
    cloudpickle = importlib.import_module("ray.cloudpickle" if "ray" in sys.modules else "cloudpickle")
    try:
        found = cloudpickle.loads(error)
    except RunCancelled:
        raise
    except BaseException:  # one that is rebuilt by a call of `sys.exit`, say
        return None
    return found if isinstance(found, BaseException) else None


def _tells(error: Any, raw: bytes, secrets: Redactor) -> bool:
    """Return whether an exception or its bytes hold a secret."""
    told = [raw.decode("utf-8", "surrogateescape"), "".join(traceback.format_exception(error))]
    return any(secrets(text) != text for text in told)
