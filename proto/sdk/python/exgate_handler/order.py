"""The order of events: those of one connection one at a time, those of different connections concurrently."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Callable

from .handler import Conn, Handler

log = logging.getLogger("exgate_handler")

HandlerFactory = Callable[[Conn], Handler]


class Line:
    """Runs the callbacks of one connection while holding turn. asyncio.Lock is fair: first come, first served."""

    def __init__(self, factory: HandlerFactory, conn: Conn) -> None:
        self.conn = conn
        self.turn = asyncio.Lock()
        self._factory = factory
        self._handler: Handler | None = None

    async def attempt(self, callback: str, *args, timeout: float | None = None) -> bool:
        """Runs one callback with a timeout in seconds. Returns False if it raised, which is logged."""
        try:
            if hasattr(asyncio, "timeout"):
                async with asyncio.timeout(timeout):
                    await self._call(callback, args)
            else:  # before Python 3.11
                await asyncio.wait_for(self._call(callback, args), timeout)
        except Exception:
            log.exception("%s of connection %s failed", callback, self.conn.id)
            return False
        return True

    async def _call(self, callback: str, args: tuple) -> None:
        if self._handler is None:
            self._handler = Handler(self.conn)  # for later events, in case the constructor raises
            self._handler = self._factory(self.conn)
        await getattr(self._handler, callback)(*args)


class Background:
    """Tasks that outlive the RPC that started them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task] = set()

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self, grace: float) -> None:
        """Waits up to grace seconds for the tasks, then cancels them."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        left = [task for task in self._tasks if not task.done()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
