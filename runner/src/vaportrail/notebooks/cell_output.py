"""What a notebook's cells print: files in the spool that its kernel appends to, and log records of that.

Files outlive the kernel, whatever ends it. What its sockets carry is only shown: a message may be late,
be of a cell that is over, or never be sent. They are a writer's of their own, so that whoever finishes
the output of processes that died finishes this, too: neither the worker nor the kernel need be there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from vaportrail.notebooks.followed_files import PIECE, FollowedFiles
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.attempt_scope import AttemptScope
from vaportrail.telemetry.identity import cell_span_id
from vaportrail.telemetry.output import SEVERITY, SUFFIX, Stream, block_values
from vaportrail.telemetry.output_blocks import Block, split_blocks
from vaportrail.telemetry.output_files import make_output_file
from vaportrail.telemetry.recorder import Recorder

__all__ = ["CellOutput"]

_ROLE: Final = "cells"


class CellOutput:
    """Records what cells print, each line as that of the cell that ran. Close it in the end.

    Args:
        recorder: this process's.
        scope: the attempt.

    Attributes:
        paths: where the kernel is to write, by stream.
    """

    def __init__(self, recorder: Recorder, scope: AttemptScope) -> None:
        self._recorder = recorder.beside(_ROLE)
        self._scope = scope
        self._span = scope.span_id
        paths: dict[Stream, str] = {}
        for stream in SUFFIX:
            path, file = make_output_file(self._recorder, stream)
            os.close(file)
            paths[stream] = str(path)
        self.paths: Mapping[Stream, str] = paths
        self._files = FollowedFiles(paths)
        self._say_whose()

    def begin(self, number: int) -> None:
        """Say that what comes next is the cell's of this number."""
        self._span = cell_span_id(self._scope.span_id, number)
        self._say_whose()

    def _say_whose(self) -> None:
        values = {c.STDOUT_OFFSET: self._files.taken["stdout"], c.STDERR_OFFSET: self._files.taken["stderr"]}
        self._recorder.log(event=c.EVENT_CELL_OUTPUT, values=values, attempt=self._scope, span_id=self._span)

    def record(self, *, final: bool = False) -> None:
        """Record what has arrived; a last line without its end, too, where it is `final`."""
        for stream in self._files.streams:
            size, last = PIECE, False
            while not last and (raw := self._files.look(stream, size)):
                begin, last = self._files.taken[stream], len(raw) < size
                done = begin
                for block in split_blocks(
                    raw,
                    begin,
                    final=final and last,
                    waiting=not last,
                    secrets=self._recorder.writer.redact,
                ):
                    self._log(stream, block)
                    # What is interrupted before this is recorded again: better twice than never.
                    self._files.take(stream, block.end - done)
                    done = block.end
                size *= 1 if done > begin else 2

    def _log(self, stream: Stream, block: Block) -> None:
        self._recorder.log(
            block.text,
            scope=stream,
            severity=SEVERITY[stream],
            values=block_values(stream, block),
            attempt=self._scope,
            span_id=self._span,
        )

    def close(self) -> None:
        """Close the files, which take no more space where all in them is on record."""
        try:
            if self._files.all_taken:
                for path in self.paths.values():
                    os.truncate(path, 0)
        finally:
            self._files.close()
            self._recorder.writer.close()
