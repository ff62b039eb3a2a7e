"""One provider under one event loop after another, as scripts do that call `asyncio.run` again and again."""

import asyncio
import gc
import os
import time

import orjson
import pytest
import trio
import uvloop

from pointsman.providers import Provider, ProviderCall, ProviderSettings, build_provider
from tests.providers.servers import answer

CALL = ProviderCall(upstream_model="m", body={"messages": []})
REPLY = answer(orjson.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}}]}))
N_LOOPS = 30


def n_open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def settles_at(limit: int) -> bool:
    """Whether no more files are open; our servers close their ends in threads of their own."""
    end_s = time.monotonic() + 5
    while (n_open := n_open_files()) > limit and time.monotonic() < end_s:
        time.sleep(0.01)
    return n_open <= limit


def run_by_hand(provider: Provider) -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(provider.complete(CALL))
    loop.close()


RUNS = {
    "asyncio.run": lambda provider: asyncio.run(provider.complete(CALL)),
    "uvloop.run": lambda provider: uvloop.run(provider.complete(CALL)),
    "trio.run": lambda provider: trio.run(provider.complete, CALL),
    "a loop closed by hand": run_by_hand,
}


# asyncio says so of sockets that only the garbage collector closes: those of a loop closed by hand.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("transport", ["asyncio", "pyreqwest", "httpx"])
@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())
def test_loops_that_ended_leave_no_connections_open(transport, run, serve):
    server = serve(lambda _: REPLY)
    provider = build_provider(ProviderSettings(name="p", base_url=server.url, transport=transport))
    for _ in range(3):
        run(provider)
    n_open = n_open_files()
    for _ in range(N_LOOPS):
        run(provider)
    gc.collect()
    assert settles_at(n_open + 6)
    assert len(server.requests) == N_LOOPS + 3
    # Here, where the warnings about the last loop's sockets are expected.
    del provider
    gc.collect()
