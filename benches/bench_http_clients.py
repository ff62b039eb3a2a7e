"""What one HTTP call to a provider costs the client: our transports, the raw clients beneath, and aiohttp.

Starts `loopback_upstream.py` in a process of its own and measures, in one run and in turn, CPU microseconds a
request of this process (user + system, all threads), requests a second, and latency. Median of the rounds,
with the smallest and the largest.

    python benches/bench_http_clients.py [--rounds 5] [--clients asyncio,pyreqwest] [--loop uvloop] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from pointsman.providers import HttpCall, ProviderCall, ProviderSettings, build_provider, default_transport

Call = Callable[[], Awaitable[object]]
Opener = Callable[[AsyncExitStack, str, bool], Awaitable[Call]]

MESSAGES = [{"role": "user", "content": "Which way does the train go? " * 15}]
HEADERS = {"content-type": "application/json", "authorization": "Bearer sk-bench"}


def body(streams: bool) -> bytes:
    document: dict[str, object] = {"model": "loopback-1", "messages": MESSAGES}
    if streams:
        document |= {"stream": True}
    return json.dumps(document, separators=(",", ":")).encode()


def settings(base_url: str, transport: Any) -> ProviderSettings:
    return ProviderSettings(name="loopback", base_url=base_url, api_key="sk-bench", transport=transport)


def through_transport(name: str) -> Opener:
    """Our transport `name`, bytes in and bytes out."""

    async def open_client(stack: AsyncExitStack, base_url: str, streams: bool) -> Call:
        transport = default_transport(settings(base_url, name))
        stack.push_async_callback(transport.aclose)
        call = HttpCall("POST", f"{base_url}/chat/completions", body=body(streams))

        async def stream() -> None:
            async with transport.stream(call) as answer:
                async for _ in answer.chunks():
                    pass

        return stream if streams else lambda: transport.send(call)

    return open_client


async def through_adapter(stack: AsyncExitStack, base_url: str, streams: bool) -> Call:
    """The OpenAI adapter over the default transport: JSON, server-sent events and usage included."""
    provider = build_provider(settings(base_url, "auto"))
    stack.push_async_callback(provider.aclose)
    call = ProviderCall(upstream_model="loopback-1", body={"messages": MESSAGES})

    async def stream() -> None:
        async with provider.stream(call) as answer:
            async for _ in answer:
                pass

    return stream if streams else lambda: provider.complete(call)


async def raw_pyreqwest(stack: AsyncExitStack, base_url: str, streams: bool) -> Call:
    from pyreqwest.client import ClientBuilder

    client = ClientBuilder().default_headers(HEADERS).follow_redirects(False).build()
    stack.push_async_callback(client.close)
    url, data = f"{base_url}/chat/completions", body(streams)

    async def whole() -> None:
        response = await client.post(url).body_bytes(data).build().send()
        await response.bytes()

    async def stream() -> None:
        # The limit is what makes it stream: by default it reads 64 KiB ahead.
        request = client.post(url).body_bytes(data).streamed_read_buffer_limit(0).build_streamed()
        async with request as response:
            while await response.body_reader.read_chunk() is not None:
                pass

    return stream if streams else whole


async def raw_httpx(stack: AsyncExitStack, base_url: str, streams: bool) -> Call:
    import httpx

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    client = await stack.enter_async_context(
        httpx.AsyncClient(headers=HEADERS, trust_env=False, limits=limits, timeout=60)
    )
    url, data = f"{base_url}/chat/completions", body(streams)

    async def stream() -> None:
        async with client.stream("POST", url, content=data) as response:
            async for _ in response.aiter_bytes():
                pass

    return stream if streams else lambda: client.post(url, content=data)


async def raw_aiohttp(stack: AsyncExitStack, base_url: str, streams: bool) -> Call:
    import aiohttp  # type: ignore[import-not-found,unused-ignore]

    connector = aiohttp.TCPConnector(limit=0)
    client = await stack.enter_async_context(aiohttp.ClientSession(headers=HEADERS, connector=connector))
    url, data = f"{base_url}/chat/completions", body(streams)

    async def whole() -> None:
        async with client.post(url, data=data) as response:
            await response.read()

    async def stream() -> None:
        async with client.post(url, data=data) as response:
            async for _ in response.content.iter_any():
                pass

    return stream if streams else whole


CLIENTS: dict[str, Opener] = {
    "asyncio": through_transport("asyncio"),
    "asyncio+adapter": through_adapter,
    "pyreqwest": through_transport("pyreqwest"),
    "httpx": through_transport("httpx"),
    "raw pyreqwest": raw_pyreqwest,
    "raw httpx": raw_httpx,
    "raw aiohttp": raw_aiohttp,
}
PACKAGE = {"raw pyreqwest": "pyreqwest", "raw httpx": "httpx", "raw aiohttp": "aiohttp"}


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measure(opener: Opener, base_url: str, streams: bool, concurrency: int, n: int) -> dict[str, float]:
    """One round: `n` requests by `concurrency` workers, after a warm-up of three requests each."""
    async with AsyncExitStack() as stack:
        call = await opener(stack, base_url, streams)
        latencies_s: list[float] = []

        async def worker(n_requests: int) -> None:
            for _ in range(n_requests):
                started_s = time.perf_counter()
                await call()
                latencies_s.append(time.perf_counter() - started_s)

        await asyncio.gather(*(worker(3) for _ in range(concurrency)))
        latencies_s.clear()
        wall_s, used_s = time.perf_counter(), cpu_s()
        await asyncio.gather(*(worker(n // concurrency) for _ in range(concurrency)))
        wall_s, used_s = time.perf_counter() - wall_s, cpu_s() - used_s
    latencies_s.sort()
    n_done = len(latencies_s)
    return {
        "cpu_us": used_s / n_done * 1e6,
        "per_second": n_done / wall_s,
        "p50_us": latencies_s[n_done // 2] * 1e6,
        "p99_us": latencies_s[min(n_done - 1, n_done * 99 // 100)] * 1e6,
        "n": n_done,
    }


def summary(rounds: list[dict[str, float]]) -> dict[str, Any]:
    cpu = [one["cpu_us"] for one in rounds]
    medians = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    return {**medians, "n": int(medians["n"]), "cpu_us_min": min(cpu), "cpu_us_max": max(cpu)}


def about() -> dict[str, object]:
    """What a figure means nothing without."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    cpu = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (cpu.read_text().splitlines() if cpu.exists() else ())
        if line.startswith("model name")
    ]
    versions = {}
    for name in ("httptools", "pyreqwest", "httpx", "aiohttp", "uvloop", "orjson"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "machine": f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores",
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        "versions": versions,
    }


async def run(args: argparse.Namespace, base_url: str) -> list[dict[str, Any]]:
    names = [name for name in args.clients.split(",") if is_installed(name)]
    cells = [
        (name, streams, concurrency)
        for streams in (False, True)
        for concurrency in map(int, args.concurrency.split(","))
        for name in names
    ]
    found: dict[tuple[str, bool, int], list[dict[str, float]]] = {cell: [] for cell in cells}
    # Round by round, so that a disturbance hits all clients and not one.
    for _ in range(args.rounds):
        for name, streams, concurrency in cells:
            n = args.n // (5 if streams else 1) // (10 if "httpx" in name else 1)
            one = await measure(CLIENTS[name], base_url, streams, concurrency, max(n, concurrency))
            found[name, streams, concurrency].append(one)
    return [
        {"client": name, "stream": streams, "concurrency": concurrency, **summary(rounds)}
        for (name, streams, concurrency), rounds in found.items()
    ]


def is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(PACKAGE.get(name, "pointsman"))
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def show(facts: dict[str, object], rows: list[dict[str, Any]], rounds: int) -> None:
    for name, value in facts.items():
        print(f"{name}: {value}")
    print(f"median of {rounds} rounds; CPU of the client process, user + system")
    print(
        f"{'':8}{'at once':>8}  {'client':16}{'CPU us/request':>16} {'[min-max]':>15}"
        f"{'req/s':>8}{'p50 us':>9}{'p99 us':>9}{'n':>7}"
    )
    for row in rows:
        spread = f"[{row['cpu_us_min']:.0f}-{row['cpu_us_max']:.0f}]"
        print(
            f"{'stream' if row['stream'] else 'whole':8}{row['concurrency']:>8}  {row['client']:16}"
            f"{row['cpu_us']:>16.0f} {spread:>15}{row['per_second']:>8.0f}"
            f"{row['p50_us']:>9.0f}{row['p99_us']:>9.0f}{row['n']:>7}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--n", type=int, default=10_240, help="requests a round; streams 1/5, httpx 1/10 of it"
    )
    parser.add_argument("--concurrency", default="1,32,256")
    parser.add_argument("--clients", default=",".join(CLIENTS), help="of: " + ", ".join(CLIENTS))
    parser.add_argument("--loop", choices=["uvloop", "asyncio"], default="uvloop")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    unknown = set(args.clients.split(",")) - set(CLIENTS)
    if unknown:
        parser.error(f"unknown client {sorted(unknown)[0]!r}; known: {', '.join(CLIENTS)}")

    loop_factory: Any = None
    if args.loop == "uvloop":
        from uvloop import new_event_loop as loop_factory

    upstream = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("loopback_upstream.py"))],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert upstream.stdout is not None
        base_url = upstream.stdout.readline().split()[-1] + "/v1"
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            rows = runner.run(run(args, base_url))
    finally:
        upstream.terminate()
        upstream.wait()
    facts = {**about(), "loop": args.loop}
    if args.json:
        print(json.dumps({**facts, "rounds": args.rounds, "results": rows}))
    else:
        show(facts, rows, args.rounds)


if __name__ == "__main__":
    main()
