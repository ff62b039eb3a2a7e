"""Why pyreqwest is not the default: each finding of `pyreqwest_transport.py`, watched.

A test that fails here after an upgrade of pyreqwest is good news: the finding no longer holds. When none does,
pyreqwest may become the default for HTTP/2. Its crash at exit is too rare for a test of a second:
`python -m tests.providers.exit_stress 200 pyreqwest closed` shows it.
"""

import asyncio
import os
import threading

import pytest
from pyreqwest.client import ClientBuilder

from pointsman.errors import ProviderTimeout, ProviderUnreachable
from pointsman.providers import HttpCall, Timeouts, TransportSettings
from pointsman.providers.pyreqwest_transport import PyreqwestTransport
from tests.providers.servers import STREAM_HEAD, answer, chunked, eventually


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def transport() -> PyreqwestTransport:
    return PyreqwestTransport(TransportSettings(provider="p"))


async def test_a_call_cancelled_before_its_headers_goes_on_upstream(transport, serve):
    server = serve(lambda request: server.watch(request))
    task = asyncio.create_task(transport.send(HttpCall("POST", server.url, body=b"{}")))
    assert await eventually(lambda: server.requests)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await eventually(lambda: server.gone_at_s, within_s=0.3)
    await transport.aclose()


async def test_the_total_limit_ends_it_upstream(transport, serve):
    server = serve(lambda request: server.watch(request))
    call = HttpCall("POST", server.url, body=b"{}", timeouts=Timeouts(first_byte_s=0.5, total_s=2))
    with pytest.raises(ProviderTimeout):
        await transport.send(call)
    assert await eventually(lambda: server.gone_at_s)
    await transport.aclose()


async def test_the_raw_client_reads_ahead_before_it_streams(serve):
    go_on = threading.Event()

    def handle(request):
        request.send(STREAM_HEAD + chunked(b"one", end=False))
        go_on.wait(30)
        return chunked(b"two")

    server = serve(handle)
    client = ClientBuilder().build()
    request = client.post(server.url).body_bytes(b"{}").build_streamed()
    entering = asyncio.ensure_future(request.__aenter__())
    done, _ = await asyncio.wait((entering,), timeout=0.2)
    assert not done
    go_on.set()
    await entering
    await request.__aexit__(None, None, None)
    await client.close()


async def test_a_child_forked_after_the_first_use_is_told_so(transport, serve):
    server = serve(lambda _: answer(b"ok"))
    await transport.send(HttpCall("GET", server.url))
    pid = os.fork()
    if pid == 0:
        try:
            PyreqwestTransport(TransportSettings(provider="p")).client()
        except ProviderUnreachable as error:
            os._exit(0 if "fork" in str(error) else 1)
        os._exit(2)
    _, status = await asyncio.to_thread(os.waitpid, pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    await transport.aclose()
