"""What of a notebook's outputs the kept file holds: all of them, up to a size that a worker can bear.

The file is held several times while it is kept: as a tree, without its secrets, as text, as a page.
What is left out is told in its place. What cells print is in the run's logs all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from typing import Any, Final

from vaportrail.telemetry.redact import Redactor

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

    Args:
        secrets: what is replaced in the notebook when it is kept; no limit cuts it in two.

    Attributes:
        dropped: how many displayed outputs were left out; they are nowhere else.
    """

    def __init__(self, secrets: Redactor | None = None) -> None:
        self.dropped = 0
        self._secrets = secrets
        self._cells: Counter[int] = Counter()
        self._streams: Counter[tuple[int, str]] = Counter()
        self._left_out: Counter[tuple[int, str]] = Counter()
        self._behind: dict[tuple[int, str], str] = {}
        """What follows the last that is kept of a stream: as much as a secret may have."""
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
            said = content["evalue"] if self._secrets is None else self._secrets(content["evalue"])
            return {**msg, "content": {**content, "evalue": said[:1000], "traceback": told}}
        return msg

    def _clear(self, cell: int) -> None:
        del self._cells[cell]
        counts: dict[tuple[int, str], Any]
        for counts in (self._streams, self._left_out, self._behind):
            for key in [key for key in counts if key[0] == cell]:
                del counts[key]

    def _printed(self, cell: int, name: str, text: str) -> str:
        key = cell, name
        room = min(STREAM_LIMIT - self._streams[key], self._room) - _EACH
        # Behind a gap there may be the rest of a secret.
        kept = "" if key in self._left_out else text[: max(0, room)]
        if kept:
            self._streams[key] += len(kept) + _EACH
            self._cells[cell] += len(kept) + _EACH
        if len(kept) < len(text):
            self._left_out[key] += len(text) - len(kept)
            known = self._behind.get(key, "")
            wanted = self._secrets.longest - len(known) if self._secrets is not None else 0
            self._behind[key] = known + text[len(kept) : len(kept) + wanted]
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
        """Say in the notebook, once, what of its cells' printing is left out.

        Texts of a stream that follow each other become one, in which a secret can be found.
        """
        from nbformat.v4 import new_output

        for cell in notebook.cells:
            if cell["cell_type"] == "code":
                cell["outputs"] = _joined(cell["outputs"])
        for (cell, name), count in self._left_out.items():
            count += self._take_back(notebook.cells[cell]["outputs"], name, self._behind[cell, name])
            said = f"\n[{count} more characters of {name} are not kept here: they are in the run's logs]\n"
            notebook.cells[cell].outputs.append(new_output("stream", name=name, text=said))
        self._left_out.clear()

    def _take_back(self, outputs: list[Any], name: str, behind: str) -> int:
        """Take off the beginning of a secret whose rest is left out; return how many characters it has."""
        last = next((each for each in reversed(outputs) if each.get("name") == name), None)
        if self._secrets is None or last is None:
            return 0
        tail = last["text"][-self._secrets.longest :]
        cut = next(
            (begin for begin, end in self._secrets.find(tail + behind) if begin < len(tail) < end), len(tail)
        )
        off = len(tail) - cut
        last["text"] = last["text"][: len(last["text"]) - off]
        return off


def _joined(outputs: list[Any]) -> list[Any]:
    """Return outputs of which those of one stream that follow each other are one."""
    joined: list[Any] = []
    for name, group in groupby(outputs, lambda each: each["output_type"] == "stream" and each["name"]):
        if not name:
            joined += group
            continue
        first, *others = group
        first["text"] = "".join([first["text"], *(each["text"] for each in others)])
        joined.append(first)
    return joined


def _size(value: Any) -> int:
    """Return about how many characters a value has as JSON."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(str(key)) + _size(item) for key, item in value.items())
    return sum(map(_size, value)) if isinstance(value, list | tuple) else 8
