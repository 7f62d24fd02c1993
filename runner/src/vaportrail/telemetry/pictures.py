"""Figures and images of every common kind as the bytes of a file."""

from __future__ import annotations

import io
from typing import Any, Final

__all__ = ["figure_file", "image_png"]

_PNG_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
_CONVERTED: Final = {"PA": "RGBA", "La": "LA", "RGBa": "RGBA"}
"""What a Pillow image of another mode becomes, so that its transparency stays; else RGB."""


def figure_file(figure: Any) -> tuple[bytes, str]:
    """Return a figure's file and media type: PNG of Matplotlib's, JSON of Plotly's.

    Raises:
        TypeError: it is no figure, and nothing that is in one.
    """
    if hasattr(figure, "to_plotly_json"):
        return figure.to_json().encode(), "application/vnd.plotly.v1+json"
    drawn = _drawn(figure)
    if drawn is None:
        raise TypeError(f"{type(figure).__name__} is neither a Matplotlib nor a Plotly figure")
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", facecolor="white", transparent=False)
    return buffer.getvalue(), "image/png"


def _drawn(thing: Any) -> Any:
    """Return what can save itself: the figure, or that of axes, or of the first of several."""
    for _ in range(10):  # a figure in a figure in a figure
        if thing is None or hasattr(thing, "savefig"):
            return thing
        if hasattr(thing, "flat"):  # an array of axes
            thing = list(thing.flat)
        if isinstance(thing, list | tuple):
            thing = thing[0] if thing else None
        else:
            thing = getattr(thing, "figure", None)
    return None


def image_png(image: Any) -> bytes:
    """Return a Pillow image or an array as PNG.

    Raises:
        TypeError: it is neither, or no image can be made of it.
        ValueError: its pixels have no form in a PNG.
    """
    if hasattr(image, "save"):
        return _saved(_fitting(image))
    if not hasattr(image, "__array__"):
        raise TypeError(f"{type(image).__name__} is not bytes, a path, an image or an array")
    try:
        from PIL import Image
    except ImportError:
        raise TypeError("an array needs Pillow: pip install pillow") from None
    try:
        return _saved(Image.fromarray(_pixels(image)))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"an array of shape {getattr(image, 'shape', '?')} is no image: {error}; "
            "give (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), as uint8 or as floats from 0 to 1"
        ) from None


def _saved(image: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _fitting(image: Any) -> Any:
    """Return a Pillow image in a mode that a PNG can hold."""
    mode = getattr(image, "mode", "RGB")
    if mode in _PNG_MODES:
        return image
    if mode.startswith("I"):
        low, high = image.getextrema()
        if low >= 0 and high <= 65535:
            return image.convert("I;16")
    if mode.startswith(("I", "F")):
        raise ValueError(
            f"its mode is {mode}, and a PNG holds whole numbers up to 65535; scale it first: "
            "image.point(lambda v: v * 255 / highest).convert('L')"
        )
    if mode == "LAB":
        from PIL import ImageCms

        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB")
    return image.convert(_CONVERTED.get(mode, "RGB"))


def _pixels(image: Any) -> Any:
    """Return an array as 8-bit pixels; floats go from 0 to 1, as images of models mostly do."""
    import numpy as np

    array = np.asarray(image)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype.kind == "f":
        return (np.nan_to_num(array).clip(0.0, 1.0) * 255).round().astype(np.uint8)
    if array.dtype.kind in "iu" and array.size and array.min() >= 0 and array.max() <= 255:
        return array.astype(np.uint8)
    return array
