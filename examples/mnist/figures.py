"""Figures for the notebooks: drawn without pyplot, kept in the record, shown in the notebook.

Pyplot would hold every figure until it is closed and choose a backend by itself; a bare `Figure`
does neither, and is faster to import.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from IPython import display
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vaportrail import log

__all__ = ["grid", "keep", "mosaic", "picture", "plot", "show"]

DPI = 100
PIXELS = 8  # an image's width and height
GAP = 2


def plot(width: float, height: float, **labels: Any) -> tuple[Figure, Any]:
    """Return a figure with one plot.

    Args:
        width: in hundreds of pixels.
        height: in hundreds of pixels.
        labels: whatever `Axes.set` takes, such as `xlabel`.
    """
    figure = Figure(figsize=(width, height), dpi=DPI, layout="tight")
    axes = figure.subplots()
    axes.set(**labels)
    return figure, axes


def grid(titles: Sequence[str], *, xlabel: str, ylabel: str) -> tuple[Figure, list[Any]]:
    """Return a figure with two rows of plots that share their axes, and these plots."""
    # Fixed margins: to fit them to twenty axes' labels takes as long as to draw the figure.
    figure = Figure(figsize=(9, 3.8), dpi=DPI)
    axes = figure.subplots(
        2,
        -(-len(titles) // 2),
        sharex=True,
        sharey=True,
        gridspec_kw={"left": 0.08, "right": 0.99, "bottom": 0.13, "top": 0.93, "wspace": 0.1, "hspace": 0.25},
    )
    plots = list(axes.ravel())
    for axis, title in zip(plots, titles, strict=False):
        axis.set_title(title, fontsize="small")
        axis.tick_params(labelsize="x-small")
    figure.supxlabel(xlabel, fontsize="small")
    figure.supylabel(ylabel, fontsize="small")
    return figure, plots


def mosaic(images: NDArray[Any], columns: int) -> NDArray[Any]:
    """Lay images out on one, row by row, with a gap after each; what is left over is zero."""
    rows, side = -(-len(images) // columns), PIXELS + GAP
    tiles = np.zeros((rows * columns, side, side), images.dtype)
    tiles[: len(images), :PIXELS, :PIXELS] = images.reshape(-1, PIXELS, PIXELS)
    return tiles.reshape(rows, columns, side, side).swapaxes(1, 2).reshape(rows * side, columns * side)


def picture(images: NDArray[Any], columns: int) -> Figure:
    """Return a figure of images, dark on light as ink is, and of nothing else."""
    pixels = mosaic(images, columns)
    height, width = pixels.shape
    figure = Figure(figsize=(2 * width / DPI, 2 * height / DPI), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(pixels, cmap="gray_r", vmin=0, vmax=16, interpolation="nearest", aspect="auto")
    axes.axis("off")
    return figure


def show(figure: Figure) -> None:
    """Show a figure below the cell."""
    png = io.BytesIO()
    figure.savefig(png, format="png")
    _show(png.getvalue())


def keep(name: str, figure: Figure) -> None:
    """Log a figure under `name`, and show it below the cell."""
    stored = log.figure(name, figure)
    if stored is None:  # outside a run
        show(figure)
    else:  # drawing it again would take longer than reading it back
        _show(stored.read())


def _show(png: bytes) -> None:
    display.display(display.Image(png, format="png"))  # type: ignore[no-untyped-call]
