"""Processes that leave in awkward ways, fork, or start a second event loop."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator

import pytest
import trio

from pointsman.providers import ProviderCall, ProviderSettings, build_provider
from tests.providers.exit_stress import stress
from tests.providers.servers import Server, answer

CALL = ProviderCall(upstream_model="m", body={"messages": []})


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(lambda _: answer(b'{"choices": [{"message": {}}]}'))
    yield server
    server.close()


def settings(server: Server) -> ProviderSettings:
    return ProviderSettings(name="p", base_url=server.url)


@pytest.mark.parametrize("mode", ["inflight", "cancelled", "stream"])
def test_a_process_that_leaves_early_ends_well(mode):
    result = stress(4, "auto", mode)
    assert result["failed"] == 0, result


def in_child(work: Callable[[], object]) -> int:
    """Fork, do the work in the child, and return its exit status."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_provider_works_in_a_child_forked_before_its_first_use(server):
    provider = build_provider(settings(server))
    assert in_child(lambda: asyncio.run(provider.complete(CALL))) == 0


def test_a_provider_works_in_a_child_forked_after_its_first_use(server):
    provider = build_provider(settings(server))
    with asyncio.Runner() as runner:
        runner.run(provider.complete(CALL))
        # The child has a loop and connections of its own; the parent's stay the parent's.
        assert in_child(lambda: asyncio.run(provider.complete(CALL))) == 0
        assert in_child(gc.collect) == 0
        runner.run(provider.complete(CALL))
        runner.run(provider.aclose())
    assert server.n_connections == 2


def test_one_provider_serves_asyncio_and_trio_in_turn(server):
    provider = build_provider(settings(server))

    async def use() -> None:
        assert (await provider.complete(CALL)).body == {"choices": [{"message": {}}]}
        await provider.aclose()

    asyncio.run(use())
    trio.run(use)
    asyncio.run(use())


def test_one_provider_serves_two_threads_with_a_loop_each(server):
    provider = build_provider(settings(server))
    failures: list[BaseException] = []

    async def use() -> None:
        for _ in range(20):
            await provider.complete(CALL)
        await provider.aclose()

    def run() -> None:
        try:
            asyncio.run(use())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert server.n_connections == 2


def test_importing_starts_no_thread_and_loads_no_http_client():
    code = """
import sys, threading
import pointsman.providers
assert threading.active_count() == 1
loaded = {"httpx", "pyreqwest", "httptools", "trio", "ssl"} & set(sys.modules)
print(sorted(loaded))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("[]", "['ssl']")
