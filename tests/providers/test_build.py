"""From settings to a provider and its transport."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest
import trio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pointsman.errors import ConfigError
from pointsman.providers import (
    HttpCall,
    ProviderCall,
    ProviderSettings,
    TransportSettings,
    build_provider,
    default_transport,
)
from pointsman.providers._environment import warn_of_ignored
from pointsman.providers.build import transport_settings
from pointsman.providers.httpx_transport import HttpxTransport
from tests.providers.servers import eventually

BASE = ProviderSettings(name="p", base_url="http://127.0.0.1:1/v1", api_key="sk-1", headers={"x": "sk-2"})

CHOICES = [
    ({}, "AsyncioTransport", "HttpxTransport"),
    ({"proxy": "http://127.0.0.1:2"}, "HttpxTransport", "HttpxTransport"),
    ({"http2": True}, "HttpxTransport", "HttpxTransport"),
    ({"transport": "asyncio"}, "AsyncioTransport", "HttpxTransport"),
    ({"transport": "pyreqwest"}, "PyreqwestTransport", "HttpxTransport"),
    ({"transport": "httpx"}, "HttpxTransport", "HttpxTransport"),
]


@pytest.mark.parametrize(("changes", "under_asyncio", "under_trio"), CHOICES)
def test_the_transport_suits_the_loop_and_the_settings(changes, under_asyncio, under_trio):
    async def chosen() -> str:
        return type(default_transport(replace(BASE, **changes))).__name__

    assert asyncio.run(chosen()) == under_asyncio
    assert trio.run(chosen) == under_trio


def test_a_proxy_of_the_environment_is_used_but_for_hosts_it_excepts(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    async def chosen(base_url: str) -> str:
        return type(default_transport(replace(BASE, base_url=base_url))).__name__

    assert asyncio.run(chosen("https://api.example.com/v1")) == "HttpxTransport"
    assert asyncio.run(chosen("https://127.0.0.1/v1")) == "AsyncioTransport"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "[::1]", "localhost", "api.localhost"])
def test_no_proxy_of_the_environment_is_used_for_this_machine(monkeypatch, host):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert transport_settings(replace(BASE, base_url=f"http://{host}:1/v1")).proxy is None


def test_a_proxy_of_the_environment_without_scheme_is_an_http_proxy(monkeypatch):
    monkeypatch.setenv("https_proxy", "me:pw@127.0.0.1:9")
    settings = replace(BASE, base_url="https://api.example.com/v1")
    assert transport_settings(settings).proxy == "http://me:pw@127.0.0.1:9"


@pytest.mark.parametrize("odd", ["socks5://u:sk-3@127.0.0.1:9", "http://", "ftp://h"])
def test_a_proxy_of_the_environment_we_cannot_speak_to_is_ignored_with_one_warning(monkeypatch, caplog, odd):
    warn_of_ignored.cache_clear()
    monkeypatch.setenv("all_proxy", odd)
    settings = replace(BASE, base_url="https://api.example.com/v1")
    assert [transport_settings(settings).proxy for _ in range(3)] == [None] * 3
    assert len(caplog.records) == 1
    assert "ALL_PROXY" in caplog.text
    assert "sk-3" not in caplog.text
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:9")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:8")
    assert transport_settings(settings).proxy == "http://127.0.0.1:8"


def test_asyncio_named_behind_a_proxy_of_the_environment_is_refused(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    settings = replace(BASE, base_url="https://api.example.com/v1", transport="asyncio")
    with pytest.raises(ConfigError, match=r"providers\.p\.transport: .*HTTPS_PROXY.*NO_PROXY"):
        build_provider(settings)
    monkeypatch.setenv("no_proxy", "api.example.com")
    build_provider(settings)


def test_http2_falls_to_pyreqwest_without_h2(monkeypatch):
    monkeypatch.setattr("pointsman.providers.build.find_spec", lambda _: None)

    async def chosen() -> str:
        return type(default_transport(replace(BASE, http2=True))).__name__

    assert asyncio.run(chosen()) == "PyreqwestTransport"


WRONG = [
    ({"kind": "antropic"}, "providers.p.kind: 'antropic'"),
    ({"base_url": "api.example.com/v1"}, "providers.p.base_url: 'api.example.com/v1'"),
    ({"base_url": "ftp://x/v1"}, "providers.p.base_url"),
    ({"base_url": ""}, "providers.p.base_url"),
    ({"base_url": "https://[::1/v1"}, "providers.p.base_url"),
    ({"api_key": "sk\nx"}, "providers.p.*authorization"),
    ({"headers": {"x-team": "\u00e9"}}, "providers.p.*x-team"),
    ({"headers": {"x team": "a"}}, "providers.p.*x team"),
    ({"proxy": "socks5://127.0.0.1:1"}, "providers.p.proxy: not an http"),
    ({"proxy": "127.0.0.1:1"}, "providers.p.proxy: not an http"),
    (
        {"transport": "asyncio", "proxy": "http://127.0.0.1:1"},
        "providers.p.transport: asyncio speaks to no proxy",
    ),
    ({"transport": "asyncio", "http2": True}, "providers.p.transport: asyncio speaks no HTTP/2"),
]


@pytest.mark.parametrize(("changes", "said"), WRONG)
def test_settings_that_cannot_work_are_refused(changes, said):
    with pytest.raises(ConfigError, match=said):
        build_provider(replace(BASE, **changes))


def test_settings_and_provider_hide_what_is_secret():
    settings = replace(BASE, proxy="http://u:sk-3@127.0.0.1:1")
    shown = repr(settings) + repr(build_provider(settings))
    assert "sk-" not in shown


def test_equal_settings_are_equal_keys():
    assert {BASE: 1}[replace(BASE, headers={"x": "sk-2"})] == 1
    assert replace(BASE, headers={}) != BASE


async def mocked(client: httpx.AsyncClient) -> None:
    transport = HttpxTransport(TransportSettings(provider="p", headers={"authorization": "Bearer k"}), client)
    reply = await transport.send(HttpCall("GET", "http://upstream.example/"))
    assert (reply.status, reply.body) == (200, b"Bearer k")
    await transport.aclose()
    assert not client.is_closed
    await client.aclose()


@pytest.mark.parametrize("run", [lambda f, c: asyncio.run(f(c)), trio.run], ids=["asyncio", "trio"])
def test_a_client_of_yours_is_used_and_not_closed(run):
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=request.headers["authorization"])

    run(mocked, httpx.AsyncClient(transport=httpx.MockTransport(handle)))


async def chat(request: Request) -> Response:
    body = orjson.loads(await request.body())
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    if not body.get("stream"):
        return JSONResponse({"choices": [{**choice, "message": {"content": "ok"}}]})

    async def events():
        for text in ("a", "b"):
            yield b"data: " + orjson.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}) + b"\n\n"
        yield b"data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@pytest.mark.parametrize("transport", ["asyncio", "pyreqwest", "httpx"])
def test_a_real_server_is_understood(transport):
    app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)

    async def use() -> None:
        assert await eventually(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        provider = build_provider(
            ProviderSettings(name="p", base_url=f"http://127.0.0.1:{port}/v1", transport=transport)
        )
        call = ProviderCall(upstream_model="m", body={"messages": []})
        for _ in range(3):
            assert (await provider.complete(call)).body["choices"][0]["message"]["content"] == "ok"
            async with provider.stream(call) as stream:
                assert len([chunk async for chunk in stream]) == 2
        await provider.aclose()

    thread.start()
    try:
        asyncio.run(use())
    finally:
        server.should_exit = True
        thread.join(5)
