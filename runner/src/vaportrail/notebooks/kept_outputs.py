"""What of a notebook's outputs the kept file holds: all of them, up to a size that a worker can bear.

The file is held several times while it is kept: as a tree, without its secrets, as text, as a page.
What is left out is told in its place. What cells print is in the run's logs all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["KeptOutputs"]

STREAM_LIMIT: Final = 1 << 20
"""Characters of what one cell prints on stdout, and on stderr."""
OUTPUT_LIMIT: Final = 16 << 20
"""Characters of one output that is displayed: a picture, a table, a page."""
NOTEBOOK_LIMIT: Final = 64 << 20
"""Characters of all outputs of a notebook."""
_EACH: Final = 256
"""What an output takes besides, in characters: some programs print one at a time."""
_DISPLAYED: Final = {"display_data", "execute_result", "update_display_data"}


class KeptOutputs:
    """Decides what of a kernel's messages goes into the notebook that is kept.

    Attributes:
        dropped: how many displayed outputs were left out; they are nowhere else.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._cells: Counter[int] = Counter()
        self._streams: Counter[tuple[int, str]] = Counter()
        self._left_out: Counter[tuple[int, str]] = Counter()
        self._updated: dict[str, int] = {}

    def message(self, msg: dict[str, Any], cell: int) -> dict[str, Any] | None:
        """Return a message as it is to be kept, or None where nothing of it is.

        Args:
            msg: from the kernel.
            cell: the index of the cell that it is about.
        """
        kind, content = msg["msg_type"], msg["content"]
        if kind == "clear_output":
            self._clear(cell)
        elif kind == "stream":
            text = self._printed(cell, content["name"], content["text"])
            return {**msg, "content": {**content, "text": text}} if text else None
        elif kind in _DISPLAYED:
            return {**msg, "content": self._shown(cell, content)}
        elif kind == "error" and (size := _size(content)) > STREAM_LIMIT:
            told = [f"[{size} characters of traceback are not kept here]"]
            return {**msg, "content": {**content, "evalue": content["evalue"][:1000], "traceback": told}}
        return msg

    def _clear(self, cell: int) -> None:
        del self._cells[cell]
        for counts in (self._streams, self._left_out):
            for key in [key for key in counts if key[0] == cell]:
                del counts[key]

    def _printed(self, cell: int, name: str, text: str) -> str:
        room = min(STREAM_LIMIT - self._streams[cell, name], self._room) - _EACH
        kept = text[: max(0, room)]
        if kept:
            self._streams[cell, name] += len(kept) + _EACH
            self._cells[cell] += len(kept) + _EACH
        if len(kept) < len(text):
            self._left_out[cell, name] += len(text) - len(kept)
        return kept

    def _shown(self, cell: int, content: Mapping[str, Any]) -> dict[str, Any]:
        size = _size(content) + _EACH
        known = (content.get("transient") or {}).get("display_id")
        before = self._updated.get(known, 0) if known else 0
        if size > OUTPUT_LIMIT or size - before > self._room:
            self.dropped += 1
            said = f"[an output of {size} characters ({', '.join(content['data'])}) is too large to be kept]"
            content = {**content, "data": {"text/plain": said}, "metadata": {}}
            size = len(said) + _EACH
        if known:
            self._updated[known] = size
        self._cells[cell] += size - before
        return dict(content)

    @property
    def _room(self) -> int:
        return NOTEBOOK_LIMIT - self._cells.total()

    def tell(self, notebook: Any) -> None:
        """Say in the notebook, once, what of its cells' printing is left out."""
        from nbformat.v4 import new_output

        for (cell, name), count in self._left_out.items():
            said = f"\n[{count} more characters of {name} are not kept here: they are in the run's logs]\n"
            notebook.cells[cell].outputs.append(new_output("stream", name=name, text=said))
        self._left_out.clear()


def _size(value: Any) -> int:
    """Return about how many characters a value has as JSON."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(str(key)) + _size(item) for key, item in value.items())
    return sum(map(_size, value)) if isinstance(value, list | tuple) else 8
