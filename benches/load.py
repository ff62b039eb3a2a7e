"""A closed-loop HTTP load generator for the benches: N keep-alive connections, one request in flight on each.

Light enough (about 15 µs a request with uvloop and httptools) to share a core with the loopback upstream;
reads streams too, and times their first byte. It checks every answer: status 200, and for a stream that
the last bytes hold `[DONE]`.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httptools

if TYPE_CHECKING:
    from collections.abc import Callable

RAMP_TIMEOUT_S = 30.0
CONNECT_BATCH = 32
"""Connections opened at once; more would overrun a short accept queue."""


@dataclass(frozen=True)
class Target:
    """What is asked, again and again.

    Attributes:
        port: Port on 127.0.0.1.
        path: Path of the POST.
        body: JSON body.
        stream: Whether the answer is a stream of server-sent events.
        headers: Further headers.
    """

    port: int
    path: str
    body: bytes
    stream: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    def wire(self) -> bytes:
        """The whole request as it goes over the wire."""
        head = {
            "host": f"127.0.0.1:{self.port}",
            "content-type": "application/json",
            "content-length": str(len(self.body)),
            "authorization": "Bearer bench",
            **self.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        return f"POST {self.path} HTTP/1.1\r\n{lines}\r\n".encode() + self.body


@dataclass(frozen=True)
class Measured:
    """One measured window.

    Attributes:
        n_requests: Requests answered inside the window.
        n_errors: Requests that failed (status, broken connection, stream without `[DONE]`).
        window_s: Length of the window.
        latency_us: Sorted latencies of the answered requests, microseconds.
        ttfb_us: Sorted times to the first byte of the body, microseconds.
        cpu_s: What the probe rose by inside the window (CPU seconds of the server, as a rule).
        ramp_s: From the first connection to the moment every connection had been answered once.
    """

    n_requests: int
    n_errors: int
    window_s: float
    latency_us: list[float]
    ttfb_us: list[float]
    cpu_s: float
    ramp_s: float

    @property
    def per_s(self) -> float:
        """Requests a second."""
        return self.n_requests / self.window_s

    @property
    def cpu_us(self) -> float:
        """CPU microseconds a request."""
        return self.cpu_s * 1e6 / max(1, self.n_requests)


def percentile(ordered: list[float], share: float) -> float:
    """The value below which `share` of the sorted values lie; NaN for none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def run_load(
    target: Target, *, concurrency: int, warm_up_s: float, window_s: float, probe: Callable[[], float]
) -> Measured:
    """Put `concurrency` requests in flight, warm up, measure one window; `probe` is read at both its ends.

    Every connection is answered once, and then held, until all have been: a server on libuv accepts one
    connection a turn of its loop, so under load the last of 256 would wait for seconds, outside the window.
    """
    try:
        from uvloop import new_event_loop
    except ImportError:
        from asyncio import new_event_loop  # type: ignore[assignment]
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_Generator(target).run(concurrency, warm_up_s, window_s, probe))


class _Generator:
    """Shared by all connections: the request's bytes and what was counted."""

    def __init__(self, target: Target) -> None:
        self.wire = target.wire()
        self.port = target.port
        self.is_stream = target.stream
        self.is_measuring = False
        self.is_stopping = False
        self.latency_ns: list[int] = []
        self.ttfb_ns: list[int] = []
        self.n_errors = 0
        self.n_unanswered = 0
        self.all_answered = asyncio.Event()
        self.held: list[_Connection] = []

    async def run(
        self, concurrency: int, warm_up_s: float, window_s: float, probe: Callable[[], float]
    ) -> Measured:
        began_s, self.n_unanswered = time.perf_counter(), concurrency
        connections: list[_Connection] = []
        for at in range(0, concurrency, CONNECT_BATCH):
            batch = range(min(CONNECT_BATCH, concurrency - at))
            connections += await asyncio.gather(*(self.connect() for _ in batch))
        try:
            async with asyncio.timeout(RAMP_TIMEOUT_S):
                await self.all_answered.wait()
        except TimeoutError:
            waiting = f"{self.n_unanswered} of {concurrency} connections"
            raise SystemExit(f"{waiting} had no answer from port {self.port} in {RAMP_TIMEOUT_S} s") from None
        ramp_s = time.perf_counter() - began_s
        await asyncio.sleep(warm_up_s)
        started_cpu_s, started_s = probe(), time.perf_counter()
        self.is_measuring = True
        await asyncio.sleep(window_s)
        self.is_measuring = False
        ended_cpu_s, ended_s = probe(), time.perf_counter()
        self.is_stopping = True
        for connection in connections:
            connection.abort()
        await asyncio.sleep(0.05)
        return Measured(
            n_requests=len(self.latency_ns),
            n_errors=self.n_errors,
            window_s=ended_s - started_s,
            latency_us=sorted(ns / 1e3 for ns in self.latency_ns),
            ttfb_us=sorted(ns / 1e3 for ns in self.ttfb_ns),
            cpu_s=ended_cpu_s - started_cpu_s,
            ramp_s=ramp_s,
        )

    def answered_first(self) -> None:
        """A connection has its first answer; the last one to get it releases all that were held."""
        self.n_unanswered -= 1
        if self.n_unanswered == 0:
            self.all_answered.set()
            for held in self.held:
                asyncio.get_running_loop().call_soon(held.resume)

    async def connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.port)
        return connection


class _Connection(asyncio.Protocol):
    def __init__(self, generator: _Generator) -> None:
        self._generator = generator
        self._last = b""
        self._in_flight = False
        self._is_answered = False
        self._is_held = False
        self._is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # uvloop and asyncio set TCP_NODELAY themselves
        self._parser = httptools.HttpResponseParser(self)
        self.send()

    def abort(self) -> None:
        self._in_flight = False
        self._transport.abort()

    def resume(self) -> None:
        """Go on after being held; a server may have closed what was idle for so long."""
        self._is_held = False
        if self._is_lost:
            self._connect_anew()
        elif not self._transport.is_closing():
            self.send()

    def send(self) -> None:
        self._first_ns = 0
        self._in_flight = True
        self._sent_ns = time.perf_counter_ns()
        self._transport.write(self._generator.wire)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        if not self._first_ns:
            self._first_ns = time.perf_counter_ns()
        self._last = body

    def on_message_complete(self) -> None:
        ended_ns = time.perf_counter_ns()
        generator, self._in_flight = self._generator, False
        if not self._is_answered:
            self._is_answered = True
            generator.answered_first()
        is_whole = not generator.is_stream or b"[DONE]" in self._last
        if self._parser.get_status_code() != 200 or not is_whole:
            generator.n_errors += 1
        elif generator.is_measuring:
            generator.latency_ns.append(ended_ns - self._sent_ns)
            generator.ttfb_ns.append(self._first_ns - self._sent_ns)
        if generator.is_stopping:
            return
        if self._parser.should_keep_alive() and not generator.all_answered.is_set():
            self._is_held = True
            generator.held.append(self)
        elif self._parser.should_keep_alive():
            # The parser object must not be fed from inside its own callback.
            asyncio.get_running_loop().call_soon(self.send)
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._is_lost = True
        if self._generator.is_stopping or self._is_held:
            return
        self._generator.n_errors += self._in_flight
        self._connect_anew()

    def _connect_anew(self) -> None:
        self._reconnect = asyncio.ensure_future(self._generator.connect())
