"""The wiring requests run on now, and those they were swapped away from while still running."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.errors import PointsmanError
from pointsman.router.parts import close_all

if TYPE_CHECKING:
    from pointsman.router.wiring import Wiring


class Wirings:
    """Closes the providers of a wiring once no request runs on it and no later one uses them."""

    __slots__ = ("_is_closed", "_retired", "now")

    def __init__(self, wiring: Wiring) -> None:
        self.now = wiring
        """What new requests run on."""
        self._retired: list[Wiring] = []
        self._is_closed = False

    def current(self) -> Wiring:
        """What a request that begins now runs on.

        Raises:
            PointsmanError: The router is closed.
        """
        if self._is_closed:
            raise PointsmanError("the router is closed; make a new one")
        return self.now

    async def leave(self, wiring: Wiring) -> None:
        """A request on it has ended."""
        wiring.n_inflight -= 1
        await self._close_if_idle(wiring)

    async def swap(self, wiring: Wiring) -> None:
        """Run new requests on another wiring."""
        old, self.now = self.now, wiring
        self._retired.append(old)
        await self._close_if_idle(old)

    def refuse(self) -> None:
        """Let no more requests begin."""
        self._is_closed = True

    async def aclose(self) -> None:
        """Close the idle connections of every wiring; requests under way may finish."""
        wirings = [*self._retired, self.now]
        self._retired.clear()
        await close_all({id(each): each for wiring in wirings for each in wiring.providers.values()}.values())

    async def _close_if_idle(self, wiring: Wiring) -> None:
        if wiring.n_inflight > 0 or wiring not in self._retired:
            return
        self._retired.remove(wiring)
        kept = {id(each) for other in [*self._retired, self.now] for each in other.providers.values()}
        await close_all(provider for provider in wiring.providers.values() if id(provider) not in kept)
