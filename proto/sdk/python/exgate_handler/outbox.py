"""The queue of frames to the gateway in the session dialect."""

from __future__ import annotations

import asyncio
from collections import deque

from . import contract

FRAME_BYTES = 1 << 20  # the size at which a frame is full; a larger command is sent alone
QUEUE_BYTES = 4 << 20  # senders wait while more is queued


class Outbox:
    """Commands in order. One task writes frames; each takes everything that is queued."""

    def __init__(self) -> None:
        self._commands: deque = deque()  # commands and their sizes
        self._bytes = 0
        self._pong = 0
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()
        self._written = asyncio.Event()
        self._written.set()

    async def room(self) -> None:
        """Waits while too much is queued."""
        await self._emptied.wait()

    def put(self, command) -> None:
        size = command.ByteSize()
        self._commands.append((command, size))
        self._bytes += size
        self._filled.set()
        self._written.clear()
        if self._bytes > QUEUE_BYTES:
            self._emptied.clear()

    def ack(self, conn: int, seq: int) -> None:
        """Acknowledges an event, in the last queued command if that is for the same connection."""
        if self._commands and self._commands[-1][0].conn == conn:
            self._commands[-1][0].ack = seq
        else:
            self.put(contract.Command(conn=conn, ack=seq))

    def pong(self, ping: int) -> None:
        """Answers a ping in the next frame."""
        self._pong = ping
        self._filled.set()

    def _frame(self):
        frame, size = contract.HandlerFrame(pong=self._pong), 0
        self._pong = 0
        while self._commands and (not size or size + self._commands[0][1] <= FRAME_BYTES):
            command, bytes = self._commands.popleft()
            frame.commands.append(command)
            size += bytes
        self._bytes -= size
        if self._bytes <= QUEUE_BYTES:
            self._emptied.set()
        return frame

    async def write(self, context) -> None:
        """Writes frames until cancelled."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._commands or self._pong:
                await context.write(self._frame())
            self._written.set()

    async def flushed(self) -> None:
        """Waits until the queue is empty."""
        await self._written.wait()

    def close(self) -> None:
        """Wakes the senders that wait for room."""
        self._commands.clear()
        self._emptied.set()
        self._written.set()
