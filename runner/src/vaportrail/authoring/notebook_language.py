"""Which language a notebook file is written in, told from its text alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["is_python", "notebook_language"]

_CHUNK: Final = re.compile(r"^ {0,3}`{3,}\s*\{\s*\.?([A-Za-z][\w+#-]*)", re.MULTILINE)
# Kernels that are known by their names alone; their files often do not say the language.
_KERNELS: Final = {
    "ir": "R",
    "bash": "bash",
    "xr": "R",
    "julia": "Julia",
    "deno": "JavaScript",
    "xcpp": "C++",
}


def notebook_language(suffix: str, source: str) -> str:
    """Return the language that a notebook's file says it is in; empty where it says none.

    Args:
        suffix: the ending of the file's name, such as ``".ipynb"``.
        source: its text.

    Raises:
        ValueError: it is an `.ipynb` and no JSON object.

    Example:
        >>> notebook_language(".Rmd", "```{r}\\nx <- 1\\n```")
        'R'
    """
    if suffix == ".ipynb":
        document = json.loads(source)
        if not isinstance(document, dict):
            raise ValueError("it is no JSON object")
        return _said_by(document.get("metadata"))
    header = _header(suffix, source)
    said = _said_by(header.get("jupyter", header))
    if said or suffix not in (".Rmd", ".qmd"):
        return said
    chunks = [language.lower() for language in _CHUNK.findall(source)]
    if "r" in chunks:
        return "R"
    return chunks[0] if chunks and not any(map(is_python, chunks)) else ""


def is_python(language: str) -> bool:
    """Return whether a language is Python under one of its names; an unsaid one is taken for it."""
    return not language or re.fullmatch(r"i?python\d?(\.\d+)?|pyspark|py", language.lower()) is not None


def _said_by(metadata: Any) -> str:
    if isinstance(metadata, str):  # Quarto's short form: the kernel's name
        return _of_kernel(metadata)
    if not isinstance(metadata, Mapping):
        return ""
    kernelspec, info = metadata.get("kernelspec"), metadata.get("language_info")
    kernelspec = kernelspec if isinstance(kernelspec, Mapping) else {}
    info = info if isinstance(info, Mapping) else {}
    return str(
        kernelspec.get("language") or info.get("name") or _of_kernel(str(kernelspec.get("name") or ""))
    )


def _of_kernel(name: str) -> str:
    return next((of for kernel, of in _KERNELS.items() if re.fullmatch(rf"{kernel}([-\d.].*)?", name)), "")


def _header(suffix: str, source: str) -> Mapping[str, Any]:
    """Return the YAML between `---` at the head of a file; empty where there is none that can be read."""
    lines = source.splitlines()
    if suffix == ".py":
        comments = [line for line in lines if not line.startswith("#!")]
        lines = [
            line.removeprefix("# ").removeprefix("#") if line.startswith("#") else "" for line in comments
        ]
    if not lines or lines[0].strip() != "---" or "---" not in lines[1:]:
        return {}
    import yaml

    try:
        found = yaml.safe_load("\n".join(lines[1 : lines.index("---", 1)]))
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, Mapping) else {}
