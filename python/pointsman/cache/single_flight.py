"""Identical questions asked at once are asked once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from anyio import Event, move_on_after

if TYPE_CHECKING:
    from collections.abc import Hashable

Answer = TypeVar("Answer")

# Leaders that may fail before the others stop waiting for a next one and ask for themselves.
_MAX_FAILED_LEADERS = 2


class _Flight(Generic[Answer]):
    __slots__ = ("answer", "done", "is_over", "n_failed", "n_waiting", "patience_s")

    def __init__(self, n_failed: int, patience_s: float | None) -> None:
        self.done: Event | None = None  # made by the first who waits; most leaders fly alone
        self.is_over = False
        self.answer: Answer | None = None
        self.n_failed = n_failed
        self.n_waiting = 0
        self.patience_s = patience_s


class Lead(Generic[Answer]):
    """The duty to fetch an answer: end it with `land`, `fail` or `decline`; only the first of them counts."""

    __slots__ = ("_flight", "_flights", "_key")

    def __init__(
        self,
        flights: dict[Hashable, _Flight[Answer]],
        key: Hashable,
        flight: _Flight[Answer] | None,
    ) -> None:
        self._flights = flights
        self._key = key
        self._flight = flight

    @property
    def n_waiting(self) -> int:
        """How many tasks wait for this answer now."""
        return self._flight.n_waiting if self._flight else 0

    def land(self, answer: Answer) -> None:
        """Give the answer to all who wait."""
        self._end(answer, 0)

    def fail(self) -> None:
        """There is no answer: the next in line leads."""
        self._end(None, 1)

    def decline(self) -> None:
        """There is an answer, but not one to share: everyone asks for themselves."""
        self._end(None, _MAX_FAILED_LEADERS)

    def _end(self, answer: Answer | None, n_failed: int) -> None:
        flight, self._flight = self._flight, None
        if flight is None:
            return
        if self._flights.get(self._key) is flight:  # else another leads by now
            del self._flights[self._key]
        flight.answer = answer
        flight.n_failed += n_failed
        flight.is_over = True
        if flight.done is not None:
            flight.done.set()


class SingleFlight(Generic[Answer]):
    """Lets one of several tasks that want the same answer fetch it, and gives it to all.

    For the tasks of one event loop. A leader that fails, is cancelled or takes too long fails nobody else:
    the next in line leads, and after two failed leaders everyone asks for themselves.

        seat = await flights.join(key)
        if isinstance(seat, Lead): fetch, then `seat.land(answer)`, or `seat.fail()`
        else: `seat` is the answer
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[Answer]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    async def join(self, key: Hashable, *, patience_s: float | None = None) -> Answer | Lead[Answer]:
        """The answer that another task fetches, or the lead.

        Args:
            key: What the answer is to.
            patience_s: If the caller leads: seconds after which one of those who wait takes over.
        """
        if (lead := self.lead(key, patience_s=patience_s)) is not None:
            return lead
        n_failed = 0
        while (flight := self._flights.get(key)) is not None:
            is_done = await self._wait(flight)
            if flight.answer is not None:
                return flight.answer
            n_failed = flight.n_failed
            if n_failed >= _MAX_FAILED_LEADERS:
                return Lead(self._flights, key, None)
            if not is_done and self._flights.get(key) is flight:
                break  # the first whose patience ends leads in its place
        flight = self._flights[key] = _Flight(n_failed, patience_s)
        return Lead(self._flights, key, flight)

    def lead(self, key: Hashable, *, patience_s: float | None = None) -> Lead[Answer] | None:
        """The lead, as of `join`, where nobody fetches the answer now; `None` where somebody does."""
        if key in self._flights:
            return None
        flight = self._flights[key] = _Flight[Answer](0, patience_s)
        return Lead(self._flights, key, flight)

    @staticmethod
    async def _wait(flight: _Flight[Answer]) -> bool:
        done = flight.done = flight.done or Event()
        flight.n_waiting += 1
        try:
            if flight.patience_s is None:
                await done.wait()
            else:
                with move_on_after(flight.patience_s):
                    await done.wait()
        finally:
            flight.n_waiting -= 1
        return flight.is_over
