"""Work that goes on after an answer is given: tasks of the caller's event loop that nobody waits for."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Any

from anyio import CancelScope, Event, move_on_after
from anyio.lowlevel import current_token

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

_LOG = logging.getLogger("pointsman.cache")
# Seconds that cancelled work gets to end.
_CLOSE_WITHIN_S = 5.0


class Background:
    """Starts work under asyncio or trio and keeps hold of it until it ends; what it raises is logged."""

    def __init__(self) -> None:
        self._running: dict[CancelScope, Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Callable[[], Awaitable[None]]) -> None:
        """Start work in the running event loop.

        Raises:
            RuntimeError: None runs in this thread.
        """
        scope = CancelScope()
        if (loop := _asyncio_loop()) is not None:
            self._running[scope] = Event()
            task = loop.create_task(self._run(work, scope))
            self._tasks.add(task)
            task.add_done_callback(lambda done: self._ended(scope, done))
        else:
            trio = _trio()
            self._running[scope] = Event()
            trio.lowlevel.spawn_system_task(self._run, work, scope)

    async def settle(self) -> None:
        """Wait until nothing runs."""
        while self._running:
            await next(iter(self._running.values())).wait()

    async def aclose(self) -> None:
        """Cancel what runs, and wait for its end."""
        for scope in self._running:
            scope.cancel()
        with move_on_after(_CLOSE_WITHIN_S, shield=True):
            await self.settle()

    async def _run(self, work: Callable[[], Awaitable[None]], scope: CancelScope) -> None:
        try:
            with scope:
                await work()
        except Exception:  # nobody waits for it; under trio it would end the whole program
            _LOG.exception("work of the cache failed")
        finally:
            self._ended(scope)

    def _ended(self, scope: CancelScope, task: asyncio.Task[None] | None = None) -> None:
        """Called by the work itself and, as a loop that ends cancels work that never began, by its task."""
        if task is not None:
            self._tasks.discard(task)
        if (ended := self._running.pop(scope, None)) is not None:
            ended.set()


def soon(call: Callable[[], None]) -> None:
    """Call a function in the running event loop's next turn."""
    if (loop := _asyncio_loop()) is not None:
        loop.call_soon(call)
    else:
        _trio().lowlevel.current_trio_token().run_sync_soon(call)


def running_loop() -> Hashable:
    """What tells the running event loop from others; under asyncio in a tenth of anyio's microseconds."""
    return _asyncio_loop() or current_token()


def _asyncio_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _trio() -> Any:
    """Trio, where it runs this thread; it need not be installed."""
    trio = sys.modules.get("trio")
    if trio is None or not trio.lowlevel.in_trio_run():
        raise RuntimeError("no event loop runs in this thread")
    return trio
