"""JSON objects one after another, with nothing between them."""

from __future__ import annotations

import json
import re

MAX_FRAME = 1 << 20  # bytes
_MARK = re.compile(rb'[{}"\\]')


class JSONStream:
    """Finds the objects in a stream of bytes that may be split anywhere. broken is set for good at what is no JSON object, or one too large.

    Every byte is looked at once for where its object ends, however a device cuts and nests it, and then parsed once.
    """

    def __init__(self) -> None:
        self.broken = False
        self._buffer = bytearray()
        self._seen = 0  # bytes of buffer that were looked at
        self._depth = 0
        self._quoted = False

    def feed(self, data: bytes) -> list[dict]:
        """Adds bytes and returns the objects that they complete."""
        self._buffer += data
        objects: list[dict] = []
        while not self.broken and (end := self._end()):
            try:
                objects.append(json.loads(self._buffer[:end]))
            except (ValueError, RecursionError):
                self.broken = True
            del self._buffer[:end]
            self._seen = 0
        self.broken = self.broken or len(self._buffer) > MAX_FRAME
        return objects

    def _end(self) -> int:
        """Where the first object of buffer ends; 0 while it does not."""
        if self._depth == 0:
            self._buffer = self._buffer.lstrip()
            self.broken = len(self._buffer) > 0 and not self._buffer.startswith(b"{")
        escaped = self._seen - 1
        for mark in _MARK.finditer(self._buffer, self._seen):
            kind, at = mark.group(), mark.start()
            if at == escaped:
                continue
            if kind == b"\\":
                escaped = at + 1
            elif kind == b'"':
                self._quoted = not self._quoted
            elif not self._quoted:
                self._depth += 1 if kind == b"{" else -1
                if self._depth == 0:
                    return mark.end()
        self._seen = max(len(self._buffer), escaped + 1)
        return 0
