"""The kubeconfig: which cluster, as whom and in which namespace; in words that help where it is wrong."""

from __future__ import annotations

import binascii
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vaportrail.errors import UsageError

__all__ = ["load_kubeconfig"]


def load_kubeconfig(settings: Any, file: str, context: str | None) -> str | None:
    """Put what a kubeconfig says into the settings of the Kubernetes client.

    Args:
        settings: a `kubernetes.client.Configuration`.
        file: the kubeconfig, or several as in `KUBECONFIG`.
        context: one of its contexts; its current one unless given.

    Returns:
        the context's namespace, maybe empty; nothing where there is no file, or none with a context.

    Raises:
        UsageError: there is no such context, or the file or its exec plugin gives no credentials.
    """
    from kubernetes.config.kube_config import KubeConfigLoader

    with _told(file, "it is no kubeconfig"):
        merged = _merged(file)
        if context is None and (merged is None or not merged.safe_get("current-context")):
            return None
        known = merged is not None and merged["contexts"].get_with_name(context, safe=True)
    if context is not None and not known:
        raise UsageError(
            f"--context {context!r}: kubeconfig {file!r} has no such context; "
            "see: kubectl config get-contexts"
        )
    with _told(file, "it is no kubeconfig"):
        loader = KubeConfigLoader(merged, active_context=context, config_base_path=None)
        chosen = loader.current_context["context"]
        user = merged["users"].get_with_name(chosen.get("user"), safe=True) if merged["users"] else None
        signs_in = (user and user.safe_get("user")) or {}
        plugin = (signs_in.get("exec") or {}).get("command")
        provider = (signs_in.get("auth-provider") or {}).get("name")
    fault = f"the auth-provider {provider!r} of its user gives no credentials" if provider else "it is wrong"
    with _told(file, fault), _plugin_errors() as said:
        loader.load_and_set(settings)
    if said:
        raise UsageError(
            f"kubeconfig {file!r}: the exec plugin {plugin!r} gives no credentials: {_one_line(said[0])}; "
            "install it, or sign in with it"
        )
    return str(chosen.get("namespace") or "")


def _merged(file: str) -> Any:
    from kubernetes.config import ConfigException
    from kubernetes.config.kube_config import KubeConfigMerger

    try:
        return KubeConfigMerger(file).config
    except ConfigException:  # an empty file, such as /dev/null
        return None


@contextmanager
def _told(file: str, fault: str) -> Iterator[None]:
    """Say which file it is: the client checks little of it, and raises what comes of that."""
    from kubernetes.config import ConfigException
    from yaml import YAMLError

    try:
        yield
    except (ConfigException, OSError) as error:
        said = _one_line(error)
    except YAMLError as error:
        said = f"it is not YAML: {_one_line(error)}"
    except UnicodeDecodeError:
        said = "it is not a text in UTF-8"
    except binascii.Error as error:
        said = f"one of its fields …-data is not base64: {error}"
    except Exception as error:
        said = f"{fault}: {type(error).__name__}: {_one_line(error)}"
    else:
        return
    raise UsageError(f"kubeconfig {file!r}: {said}") from None


@contextmanager
def _plugin_errors() -> Iterator[list[str]]:
    """Collect what the client only logs, to go on without credentials: that an exec plugin failed."""
    said: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "root":
                said.append(record.getMessage())

    kept = Kept(logging.ERROR)
    root = logging.getLogger()
    root.addHandler(kept)
    try:
        yield said
    finally:
        root.removeHandler(kept)


def _one_line(error: object) -> str:
    # The client names an entry by its whole content, tokens and all.
    return " ".join(re.sub(r"\{.*\}", "{…}", str(error), flags=re.DOTALL).split())
