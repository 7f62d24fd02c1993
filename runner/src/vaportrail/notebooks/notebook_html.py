"""An executed notebook as one HTML page that runs nothing and loads nothing."""

from __future__ import annotations

import html
import re
from typing import Any, Final

from vaportrail.notebooks.html_sanitiser import sanitise, shows_something
from vaportrail.notebooks.html_size import reads_quickly
from vaportrail.notebooks.notebook_client import SILENT

__all__ = ["notebook_html"]

# Belt and braces: the body is sanitised, and the page may not run or load anything anyway.
_POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; padding: .6rem; border-radius: 4px; font-size: 13px; margin: .4rem 0; }
.input pre, .text_cell pre { background: #f6f8fa; }
.output_stderr pre { background: #fff1f0; }
.prompt { color: #888; font: 12px monospace; margin-top: .8rem; }
.anchor-link { display: none; }
.absent { color: #777; font-style: italic; }
table { border-collapse: collapse; font-size: 13px; } td, th { border: 1px solid #ddd; padding: .2rem .5rem; }
tbody th, tbody td { text-align: right; } .text_cell tbody td { text-align: left; }
blockquote { border-left: 3px solid #ddd; margin-left: 0; padding-left: 1rem; }
img { max-width: 100%; }
@media (prefers-color-scheme: dark) {
  body { background: #111; color: #ddd; } .input pre, .text_cell pre { background: #1c1f24; }
  .output_stderr pre { background: #2a1a19; } td, th, blockquote { border-color: #444; }
  a { color: #8ab4f8; } .output_png img { background: #fff; }
}
"""
# What a page without scripts can show of an output, the best of them first.
_SHOWN: Final = (
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/latex",
    "text/plain",
)
_NAMES: Final = (
    ("plotly", "A Plotly figure"),
    ("jupyter.widget", "A widget"),
    ("vega", "A Vega chart"),
    ("bokeh", "A Bokeh figure"),
    ("javascript", "What a script draws"),
)
_LONGEST_PAGE: Final = 64 * 2**20
"""Characters of HTML and Markdown that one page shows."""
_WRITTEN: Final = {"text/html", "text/markdown"}
_SIZE: Final = re.compile(r"[0-9]{1,5}")


def notebook_html(notebook: Any, title: str) -> str:
    """Return the notebook as a page; scripts, handlers and outside addresses are taken out."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="basic", sanitize_html=True, filters={"clean_html": sanitise}, log=SILENT
    )
    body, _ = exporter.from_notebook_node(_without_scripts(notebook))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n"
        # Once more, whole: what the template makes of names and numbers was not looked at yet.
        f"<body>{sanitise(body)}</body></html>\n"
    )


def _without_scripts(notebook: Any) -> Any:
    """Return a copy in which each output holds only what the page shows of it."""
    from nbformat import from_dict

    cells, room = [], _Room()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell = from_dict({**cell, "outputs": [_shown_output(output, room) for output in cell.outputs]})
        elif not room.has(cell.source):
            cell = from_dict(
                {**cell, "cell_type": "markdown", "source": _absent("This cell is too large to show")}
            )
        cells.append(cell)
    return from_dict({**notebook, "cells": cells})


class _Room:
    """What is left of a page for HTML and Markdown: they are anybody's, and no limit holds their time."""

    def __init__(self) -> None:
        self._left = _LONGEST_PAGE

    def has(self, text: str) -> bool:
        """Return whether a text still goes on the page, and take its place if so."""
        fits = len(text) <= self._left and reads_quickly(text)
        self._left -= len(text) if fits else 0
        return fits


def _absent(what: str) -> str:
    return f'<p class="absent">{html.escape(what)}. notebook.ipynb holds it.</p>'


def _shown_output(output: Any, room: _Room) -> Any:
    if "data" not in output:
        return output
    data = output.data
    large = {kind for kind in _WRITTEN & set(data) if not room.has(_text(data[kind]))}
    kept = _shown_data({kind: data[kind] for kind in data if kind not in large})
    if large and not kept:
        kept = {"text/html": _absent("An output is too large to show")}
    return {**output, "data": kept, "metadata": _image_metadata(output.get("metadata", {}), kept)}


def _shown_data(data: Any) -> dict[str, Any]:
    """Return of an output's forms the one to show, or a word in the place of what needs scripts."""
    for kind in _SHOWN[:-1]:
        if kind in data and (kind != "text/html" or shows_something(sanitise(data[kind]))):
            return {kind: data[kind]}
    plain = {"text/plain": data["text/plain"]} if "text/plain" in data else {}
    absent = [kind for kind in data if kind not in _SHOWN] or [kind for kind in data if kind == "text/html"]
    if not absent:
        return plain
    name = next((name for word, name in _NAMES for kind in absent if word in kind), "")
    name = name or f"An output of the type {absent[0]}"
    after = f"<pre>{html.escape(_text(plain['text/plain']))}</pre>" if plain else ""
    return {"text/html": _absent(f"{name} is not shown: this page runs no scripts") + after}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "".join(map(str, value))


def _image_metadata(metadata: Any, kept: dict[str, Any]) -> dict[str, Any]:
    """Return what an image's metadata may say: its size in numbers, and a text in its place."""
    found: dict[str, Any] = {}
    for kind in kept:
        said = metadata.get(kind, {})
        if not isinstance(said, dict) or not kind.startswith("image/"):
            continue
        sizes = {name: said[name] for name in ("width", "height") if name in said}
        found[kind] = {name: size for name, size in sizes.items() if _SIZE.fullmatch(str(size))}
        found[kind]["alt"] = str(said.get("alt", "output"))
    return found
