"""Serves a simulation on the loopback: HTTP/1.1 by hand, so that it can break off, fall silent and cut.

In a test or any async program:

    async with serving(Simulation(parse_script("providers: {alpha: {}}"))) as server:
        server.url("alpha")                          # http://127.0.0.1:PORT/alpha/v1: an OpenAI base URL
        server.simulation.providers["alpha"].calls   # what it saw
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import httptools

from pointsman.simulate.control import PREFIX, control
from pointsman.simulate.exchange import Exchange, begin, find_provider
from pointsman.simulate.wire import json_reply, refusal
from pointsman.simulate.wire.openai import OpenAIDialect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pointsman.simulate.provider import Call, End
    from pointsman.simulate.simulation import Simulation
    from pointsman.simulate.wire import Reply

MAX_BODY_BYTES = 64 * 2**20
_N_BACKLOG = 2048
_REASONS = {529: "Overloaded"}  # Anthropic's own


@dataclass(slots=True)
class _Request:
    method: str = ""
    url: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


class Server:
    """A served simulation.

    Attributes:
        simulation: The simulation.
        address: `http://HOST:PORT`.
        connections: Open connections.
    """

    def __init__(self, simulation: Simulation, address: str) -> None:
        self.simulation = simulation
        self.address = address
        self.connections: set[_Connection] = set()

    def url(self, provider: str) -> str:
        """The base URL of a provider, for OpenAI clients."""
        return f"{self.address}/{provider}/v1"

    async def aclose(self) -> None:
        """Break every connection off, and wait until their calls are noted as cancelled."""
        tasks = [connection.abort() for connection in list(self.connections)]
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)

    def begin(self, request: _Request) -> Exchange:
        """The reply that is due to a request."""
        url = httptools.parse_url(bytes(request.url))
        path, query = (url.path or b"/").decode("latin-1"), (url.query or b"").decode("latin-1")
        if path.startswith(PREFIX):
            body = bytes(request.body)
            n_open = len(self.connections)
            return Exchange(control(self.simulation, request.method, path, query, body, n_open))
        if request.method == "POST":
            return begin(self.simulation, path, request.headers, bytes(request.body))
        if path == "/health":
            return Exchange(json_reply({"status": "ok", "simulated": True}))
        provider, endpoint = find_provider(self.simulation, path)
        if provider is not None and endpoint == "v1/models":
            return Exchange(json_reply(self.simulation.list_models(provider)))
        return Exchange(refusal(404, f"{request.method} {path:.60} is not simulated", OpenAIDialect(0)))


class _Connection(asyncio.Protocol):
    """One client connection; requests on it are answered one after the other."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Request] = []
        self._task: asyncio.Task[None] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()

    # What asyncio and httptools call has their names, and is described there.
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)
        self._server.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.connections.discard(self)
        self._may_write.set()
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> asyncio.Task[None] | None:
        """Break off; the task that was answering, if there was one."""
        task = self._task
        self._transport.abort()
        if task is not None:
            task.cancel()
        return task

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.close()

    def on_message_begin(self) -> None:
        self._request = _Request()

    def on_url(self, url: bytes) -> None:
        self._request.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._request.headers[name.lower().decode("latin-1")] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._request.body += body
        if len(self._request.body) > MAX_BODY_BYTES:
            self._transport.abort()

    def on_message_complete(self) -> None:
        self._request.method = self._parser.get_method().decode("latin-1")
        self._waiting.append(self._request)
        if self._task is None:
            self._task = self._loop.create_task(self._answer_all())

    async def _answer_all(self) -> None:
        while self._waiting:
            request = self._waiting.pop(0)
            await self._answer(self._server.begin(request))
            if request.headers.get("connection", "").lower() == "close":
                self._transport.close()
        self._task = None

    async def _answer(self, exchange: Exchange) -> None:
        """Send a reply when it is due, and tell the provider how it ended."""
        progress = _Progress(self._loop.time())
        try:
            await self._send(exchange, progress)
        finally:
            # Before the end it is cancelled only because the client leaves, or the server stops.
            if exchange.call is not None and exchange.provider is not None:
                now_s = self._server.simulation.now_s
                exchange.provider.leave(exchange.call, now_s, progress.end, progress.n_tokens)

    async def _send(self, exchange: Exchange, progress: _Progress) -> None:
        reply = exchange.reply
        for part in reply.parts:
            await self._wait(progress.arrived_s + part.due_s)
            if reply.status:
                self._write(exchange, part.data, progress)
            progress.n_tokens = part.n_tokens
        if reply.ending == "silence":
            await self._loop.create_future()
        progress.end = "failed" if reply.is_failure else "complete"
        if reply.ending == "break":
            self._transport.close()
        elif reply.n_bytes is None:
            self._transport.write(b"0\r\n\r\n")

    def _write(self, exchange: Exchange, data: bytes, progress: _Progress) -> None:
        """Write a part, the head before the first one in the same segment."""
        reply, call = exchange.reply, exchange.call
        framed = b"%x\r\n%s\r\n" % (len(data), data) if reply.n_bytes is None else data
        if not progress.has_head:
            progress.has_head = True
            framed = _head(reply, call) + framed
            if call is not None:
                call.first_byte_s = self._server.simulation.now_s
        self._transport.write(framed)

    async def _wait(self, until_s: float) -> None:
        wait_s = until_s - self._loop.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        await self._may_write.wait()


@dataclass(slots=True)
class _Progress:
    arrived_s: float
    has_head: bool = False
    n_tokens: int = 0
    end: End = "cancelled"


def _head(reply: Reply, call: Call | None) -> bytes:
    length = "transfer-encoding: chunked" if reply.n_bytes is None else f"content-length: {reply.n_bytes}"
    headers = dict(reply.headers)
    if call is not None:
        headers |= {"x-request-id": f"req-{call.provider}-{call.number}", **call.limits}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    reason = _REASONS.get(reply.status) or http.HTTPStatus(reply.status).phrase
    head = f"HTTP/1.1 {reply.status} {reason}\r\ncontent-type: {reply.content_type}\r\n{length}\r\n"
    return f"{head}{lines}\r\n".encode("latin-1")


@contextlib.asynccontextmanager
async def serving(simulation: Simulation, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Server]:
    """Serve a simulation in the running asyncio loop; leaving closes every connection.

    Raises:
        OSError: The address cannot be bound.
    """
    listener = socket.create_server((host, port), backlog=_N_BACKLOG)
    server = Server(simulation, f"http://{host}:{listener.getsockname()[1]}")
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: _Connection(server), sock=listener, backlog=_N_BACKLOG)
    try:
        yield server
    finally:
        listening.close()
        await server.aclose()


@contextlib.contextmanager
def serving_in_thread(simulation: Simulation) -> Iterator[Server]:
    """Serve a simulation from a thread of its own, for tests without an event loop or with another one."""
    started, stop = threading.Event(), asyncio.Event()
    found: list[tuple[Server, asyncio.AbstractEventLoop]] = []

    async def run() -> None:
        async with serving(simulation) as server:
            found.append((server, asyncio.get_running_loop()))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    if not started.wait(10):
        raise RuntimeError("the simulation did not start within 10 s")
    server, loop = found[0]
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
