"""The simulated providers as a transport of the real adapters: no sockets, and the loop's own time.

simulation = Simulation(script, clock=loop.time)
router = Router(registry, providers=virtual_providers(simulation))
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from pointsman.providers.build import transport_settings
from pointsman.providers.openai import OpenAIProvider
from pointsman.providers.provider import ProviderSettings
from pointsman.providers.transport import (
    DEFAULT_TIMEOUTS,
    Body,
    Sender,
    Timeouts,
    TransportSettings,
    raise_timeout,
    unreachable,
)
from pointsman.simulate.exchange import begin
from pointsman.simulate.wire import json_reply

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType
    from typing import Self

    from pointsman.providers.provider import Provider
    from pointsman.providers.transport import HttpCall, HttpStream
    from pointsman.simulate.provider import End
    from pointsman.simulate.simulation import Simulation
    from pointsman.simulate.wire import Part


def virtual_providers(simulation: Simulation, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> dict[str, Provider]:
    """The router's `providers` argument: OpenAI's adapter over each simulated provider, by name."""
    made: dict[str, Provider] = {}
    for name in simulation.providers:
        settings = ProviderSettings(name=name, base_url=f"http://{name}.invalid/{name}/v1", timeouts=timeouts)
        transport = SimulatedTransport(transport_settings(settings), simulation)
        made[name] = OpenAIProvider(settings, lambda transport=transport: transport)  # type: ignore[misc]
    return made


class SimulatedTransport(Sender):
    """Sends requests to a simulation in this process. The host of a URL does not matter, its path does."""

    def __init__(self, settings: TransportSettings, simulation: Simulation) -> None:
        super().__init__(settings)
        self._simulation = simulation

    def stream(self, call: HttpCall) -> AbstractAsyncContextManager[HttpStream]:
        """Send a request; entering waits for status and headers, leaving is seen by the provider."""
        return _SimulatedStream(self.settings, self._simulation, call)

    async def aclose(self) -> None:
        """There is nothing to close."""


class _SimulatedStream(Body):
    """One answer: its context manager, and the `HttpStream` it gives."""

    def __init__(self, settings: TransportSettings, simulation: Simulation, call: HttpCall) -> None:
        self.settings = settings
        self._simulation = simulation
        self._http = call
        self._n_tokens = 0
        self._end: End = "cancelled"

    async def __aenter__(self) -> Self:
        call, timeouts = self._http, self._http.timeouts
        self._arrived_s = anyio.current_time()
        path = urlsplit(call.url).path
        headers = {**self.settings.headers, **call.headers}
        self._exchange = begin(self._simulation, path, headers, call.body or b"")
        if call.method == "GET":
            name = path.strip("/").partition("/")[0]
            models = self._simulation.list_models(self._simulation.providers[name])
            self._exchange = type(self._exchange)(json_reply(models))
        self._reply = self._exchange.reply
        try:
            self._first = await self._take("first_byte", timeouts.first_byte_s)
            if not self._reply.status:
                await self._after_last("first_byte", timeouts.first_byte_s)
        except BaseException:
            self._leave()
            raise
        if self._exchange.call is not None:
            self._exchange.call.first_byte_s = self._simulation.now_s
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    @property
    def status(self) -> int:
        """HTTP status."""
        return self._reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers, lower-case names."""
        limits = self._exchange.call.limits if self._exchange.call else {}
        return {"content-type": self._reply.content_type, **self._reply.headers, **limits}

    async def next_chunk(self) -> bytes | None:
        """Return the next piece of the body when it is due."""
        part, self._first = self._first, None
        part = part or await self._take("idle", self._http.timeouts.idle_s)
        if part is None:
            await self._after_last("idle", self._http.timeouts.idle_s)
            return None
        self._n_tokens = part.n_tokens
        return part.data or await self.next_chunk()

    async def finish(self) -> None:
        """Nothing of interest is left."""
        self._note_end()

    async def _take(self, phase: str, limit_s: float) -> Part | None:
        """The next part once it is due; `None` after the last."""
        part = next(self._reply.parts, None)
        if part is not None:
            await self._wait(self._arrived_s + part.due_s, phase, limit_s)
        return part

    async def _wait(self, due_s: float, phase: str, limit_s: float) -> None:
        now_s, total_s = anyio.current_time(), self._http.timeouts.total_s
        ends_s = min(now_s + limit_s, self._arrived_s + total_s)
        await anyio.sleep(max(0.0, min(due_s, ends_s) - now_s))
        if due_s > ends_s:
            is_total = ends_s < now_s + limit_s
            raise_timeout(self.settings, "total" if is_total else phase, total_s if is_total else limit_s)

    async def _after_last(self, phase: str, limit_s: float) -> None:
        if self._reply.ending == "silence":
            await self._wait(math.inf, phase, limit_s)
        self._note_end()
        if self._reply.ending == "break":
            raise unreachable(self.settings, self._http.url, "the connection broke")

    def _note_end(self) -> None:
        self._end = "failed" if self._reply.is_failure else "complete"

    def _leave(self) -> None:
        call, provider = self._exchange.call, self._exchange.provider
        if call is not None and provider is not None:
            provider.leave(call, self._simulation.now_s, self._end, self._n_tokens)
