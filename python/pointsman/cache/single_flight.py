"""Identical questions asked at once are asked once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from anyio import Event

if TYPE_CHECKING:
    from collections.abc import Hashable

Answer = TypeVar("Answer")

# Leaders that may fail before the others stop waiting for a next one and ask for themselves.
_MAX_FAILED_LEADERS = 2


class _Flight(Generic[Answer]):
    __slots__ = ("answer", "done", "n_waiting")

    def __init__(self) -> None:
        self.done = Event()
        self.answer: Answer | None = None
        self.n_waiting = 0


class SingleFlight(Generic[Answer]):
    """Lets one of several tasks that want the same answer fetch it, and gives it to all.

    For the tasks of one event loop. A leader that fails or is cancelled fails nobody else: the next in line
    leads, and after two failed leaders everyone asks for themselves.

        seat = await flights.join(key)
        if seat is None: fetch, then `flights.land(key, answer)`, or `flights.land(key, None)` on failure
        else: `seat` is the answer
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[Answer]] = {}
        self._n_failed: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._flights)

    async def join(self, key: Hashable) -> Answer | None:
        """The answer that another task fetches, or `None`: the caller leads and must `land`."""
        while (flight := self._flights.get(key)) is not None:
            flight.n_waiting += 1
            await flight.done.wait()
            if flight.answer is not None:
                return flight.answer
            if self._n_failed.get(key, 0) >= _MAX_FAILED_LEADERS:
                return None
        self._flights[key] = _Flight()
        return None

    def land(self, key: Hashable, answer: Answer | None) -> None:
        """End a flight with its answer, or with `None` when it failed; without a flight nothing happens."""
        flight = self._flights.pop(key, None)
        n_failed = self._n_failed.pop(key, 0)
        if flight is None:  # one of those who gave up waiting
            return
        if answer is None and flight.n_waiting:
            self._n_failed[key] = n_failed + 1
        flight.answer = answer
        flight.done.set()
