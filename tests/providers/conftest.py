"""Every transport, under every event loop it supports, against the same servers."""

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import trustme

from pointsman.providers import (
    Provider,
    ProviderSettings,
    Transport,
    TransportSettings,
    asyncio_transport,
    build_provider,
    httpx_transport,
    pyreqwest_transport,
)
from pointsman.providers.asyncio_transport import AsyncioTransport
from pointsman.providers.httpx_transport import HttpxTransport
from pointsman.providers.pyreqwest_transport import PyreqwestTransport
from pointsman.providers.transport import Timeouts
from tests.providers.servers import Handler, Server

KEY = "sk-secret-0123456789"
PROMPT = "the prompt nobody else may read"


@dataclass(frozen=True)
class Runtime:
    transport: str
    backend: str
    options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        loop = "uvloop" if self.options else self.backend
        return f"{self.transport}-{loop}"


RUNTIMES = [
    Runtime("asyncio", "asyncio"),
    Runtime("asyncio", "asyncio", (("use_uvloop", True),)),
    Runtime("pyreqwest", "asyncio"),
    Runtime("pyreqwest", "asyncio", (("use_uvloop", True),)),
    Runtime("httpx", "asyncio"),
    Runtime("httpx", "trio"),
]

KINDS = {"asyncio": AsyncioTransport, "pyreqwest": PyreqwestTransport, "httpx": HttpxTransport}


@pytest.fixture(params=RUNTIMES, ids=str)
def runtime(request: pytest.FixtureRequest) -> Runtime:
    return request.param


@pytest.fixture
def anyio_backend(runtime: Runtime) -> tuple[str, dict[str, Any]]:
    return runtime.backend, dict(runtime.options)


@pytest.fixture(autouse=True)
def patient_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the end of an answer as long as a busy machine takes; our servers always send it."""
    for module in (asyncio_transport, httpx_transport, pyreqwest_transport):
        monkeypatch.setattr(module, "FINISH_S", 20.0)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(handler: Handler, tls: ssl.SSLContext | None = None, **options: Any) -> Server:
        servers.append(Server(handler, tls, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
async def make_transport(runtime: Runtime) -> AsyncIterator[Callable[..., Transport]]:
    made: list[Transport] = []

    def make(**settings: Any) -> Transport:
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        shared = TransportSettings(provider="p", headers=headers, **settings)
        made.append(KINDS[runtime.transport](shared))
        return made[-1]

    yield make
    for transport in made:
        await transport.aclose()


@pytest.fixture
async def make_provider(runtime: Runtime) -> AsyncIterator[Callable[..., Provider]]:
    made: list[Provider] = []

    def make(base_url: str, **settings: Any) -> Provider:
        transport: Any = "auto" if runtime.backend == "trio" else runtime.transport
        timeouts = Timeouts(connect_s=20, first_byte_s=20, idle_s=20, total_s=50)
        base = ProviderSettings(
            name="p", base_url=base_url, api_key=KEY, transport=transport, timeouts=timeouts
        )
        made.append(build_provider(replace(base, **settings)))
        return made[-1]

    yield make
    for provider in made:
        await provider.aclose()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)
