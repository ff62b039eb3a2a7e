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
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_trio: dict[CancelScope, Event] = {}

    def __len__(self) -> int:
        return len(self._tasks) + len(self._under_trio)

    def start(self, work: Callable[[], Awaitable[None]]) -> None:
        """Start work in the running event loop; a callback of the loop, which is no task, may do so too.

        Raises:
            RuntimeError: None runs in this thread.
        """
        if (loop := _asyncio_loop()) is not None:
            # Not anyio's: its scopes and events can be made in tasks only.
            task = loop.create_task(_logged(work))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            trio = _trio()
            scope = CancelScope()
            self._under_trio[scope] = Event()
            trio.lowlevel.spawn_system_task(self._run_under_trio, work, scope)

    async def settle(self) -> None:
        """Wait until nothing runs."""
        while tasks := self._tasks_here():
            await asyncio.wait(tasks)
        while self._under_trio:
            await next(iter(self._under_trio.values())).wait()

    async def aclose(self) -> None:
        """Cancel what runs, and wait for its end."""
        for task in self._tasks_here():
            task.cancel()
        for scope in self._under_trio:
            scope.cancel()
        with move_on_after(_CLOSE_WITHIN_S, shield=True):
            await self.settle()

    def _tasks_here(self) -> list[asyncio.Task[None]]:
        """Those of the running loop; another one's end with it."""
        loop = _asyncio_loop()
        return [task for task in self._tasks if task.get_loop() is loop]

    async def _run_under_trio(self, work: Callable[[], Awaitable[None]], scope: CancelScope) -> None:
        try:
            with scope:
                await _logged(work)
        finally:
            self._under_trio.pop(scope).set()


async def _logged(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except Exception:  # nobody waits for it; under trio it would end the whole program
        _LOG.exception("work of the cache failed")


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
