"""Virtual time for asyncio: whenever every task waits, the clock jumps to the first that is due."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

_PATIENCE_S = 2.0
"""Real seconds a thread gets to wake a task."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` starts at 0 and passes only while every task waits.

    An hour of waiting takes milliseconds. For programs without sockets. What waits for a thread alone finds
    no timer to jump to and gets some real seconds; what waits for nothing is an error after them, not a hang.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_JumpingSelector(self._jump))

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now_s

    def _jump(self, timeout_s: float) -> None:
        self._now_s += timeout_s


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that skips the waiting."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            # No timer at all: only a thread can wake a task now.
            ready = super().select(_PATIENCE_S)
            if not ready:
                raise RuntimeError("every task waits, and none for a time: a deadlock in virtual time")
            return ready
        ready = super().select(0)
        if not ready and timeout > 0:
            self._jump(timeout)
        return ready


def run_virtual(program: Callable[[Callable[[], float]], Coroutine[Any, Any, T]]) -> T:
    """Run `program(clock)` to its end in virtual time; `clock` returns the virtual seconds.

    Example:
        >>> async def wait_an_hour(clock):
        ...     await asyncio.sleep(3600)
        ...     return clock()
        >>> run_virtual(wait_an_hour)
        3600.0
    """
    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(program(loop.time))
