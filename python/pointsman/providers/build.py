"""From settings to a provider."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pointsman.errors import ConfigError, RequestError
from pointsman.providers._environment import is_http_url, proxy_of_environment
from pointsman.providers.transport import TransportSettings, check_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pointsman.providers.provider import Provider, ProviderSettings
    from pointsman.providers.transport import Transport

KINDS = ("openai", "anthropic", "gemini")
"""Wire protocols that there is an adapter for."""


def build_provider(settings: ProviderSettings) -> Provider:
    """Return the adapter for a provider. Opens nothing: connections are made by the first call.

    Raises:
        ConfigError: An unknown `kind`, URLs or headers that no request can carry, or a transport that cannot
            do what the settings ask.
    """
    problems = list(_problems(settings))
    if problems:
        raise ConfigError(problems)
    return _adapter(settings, _Transports(settings))


def _adapter(settings: ProviderSettings, transport: Callable[[], Transport]) -> Provider:
    # Each protocol is imported where it is used: most configs speak one or two.
    if settings.kind == "anthropic":
        from pointsman.providers.anthropic import AnthropicProvider

        return AnthropicProvider(settings, transport)
    if settings.kind == "gemini":
        from pointsman.providers.gemini import GeminiProvider

        return GeminiProvider(settings, transport)
    from pointsman.providers.openai import OpenAIProvider

    return OpenAIProvider(settings, transport)


def default_transport(settings: ProviderSettings) -> Transport:
    """Return a new transport for the running async library.

    `auto` is `AsyncioTransport` under asyncio, and `HttpxTransport` under trio, behind a proxy, and for
    HTTP/2 where `h2` is installed; HTTP/2 without `h2` is `PyreqwestTransport`'s. A transport named in the
    settings is taken as named, but under trio there is only httpx.
    """
    shared = transport_settings(settings)
    name = settings.transport
    if not _is_asyncio():
        name = "httpx"
    elif name == "auto":
        if shared.http2:
            name = "httpx" if find_spec("h2") else "pyreqwest"
        else:
            name = "httpx" if shared.proxy else "asyncio"
    # Each client is imported where it is used: httpx alone costs more than half of our import budget.
    if name == "asyncio":
        from pointsman.providers.asyncio_transport import AsyncioTransport

        return AsyncioTransport(shared)
    if name == "pyreqwest":
        from pointsman.providers.pyreqwest_transport import PyreqwestTransport

        return PyreqwestTransport(shared)
    from pointsman.providers.httpx_transport import HttpxTransport

    return HttpxTransport(shared)


def transport_settings(settings: ProviderSettings) -> TransportSettings:
    """Return what every transport of a provider is built from."""
    headers = {"content-type": "application/json", "accept": "*/*", "user-agent": "pointsman"}
    headers |= _credentials(settings)
    headers |= {name.lower(): value for name, value in settings.headers.items()}
    return TransportSettings(
        provider=settings.name,
        headers=headers,
        connect_s=settings.timeouts.connect_s,
        http2=settings.http2,
        proxy=settings.proxy or proxy_of_environment(settings.base_url),
        ca_file=settings.ca_file,
    )


def _credentials(settings: ProviderSettings) -> dict[str, str]:
    """The key as the protocol wants it, and what else it wants in every request's head."""
    key = settings.api_key
    if settings.kind == "anthropic":
        from pointsman.providers.anthropic import API_VERSION

        return {"anthropic-version": API_VERSION} | ({"x-api-key": key} if key else {})
    if settings.kind == "gemini":
        return {"x-goog-api-key": key} if key else {}
    return {"authorization": f"Bearer {key}"} if key else {}


class _Transports:
    """One transport per async library, made by the first call under it."""

    def __init__(self, settings: ProviderSettings) -> None:
        self._settings = settings
        self._made: dict[bool, Transport] = {}

    def __call__(self) -> Transport:
        is_asyncio = _is_asyncio()
        transport = self._made.get(is_asyncio)
        if transport is None:
            transport = self._made[is_asyncio] = default_transport(self._settings)
        return transport


def _is_asyncio() -> bool:
    """Whether the caller runs under asyncio; under trio there is no asyncio loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _problems(settings: ProviderSettings) -> Iterator[str]:
    where = f"providers.{settings.name}"
    if settings.kind not in KINDS:
        yield f"{where}.kind: {settings.kind!r} is not known; use {' or '.join(map(repr, KINDS))}"
    if not is_http_url(settings.base_url):
        yield (
            f"{where}.base_url: {settings.base_url!r} is not an http(s) URL; "
            "give one like 'https://api.example.com/v1'"
        )
        return
    shared = transport_settings(settings)
    for name, value in shared.headers.items():
        try:
            check_header(name, value)
        except RequestError as error:
            yield f"{where}: {error}"
    if settings.proxy and not is_http_url(settings.proxy):
        yield f"{where}.proxy: not an http:// or https:// URL with a host; give one like 'http://127.0.0.1:3128'"
    if settings.transport == "asyncio":
        yield from _beyond_asyncio(settings, shared, f"{where}.transport")


def _beyond_asyncio(settings: ProviderSettings, shared: TransportSettings, where: str) -> Iterator[str]:
    """What the asyncio transport would silently leave out."""
    if settings.http2:
        yield f"{where}: asyncio speaks no HTTP/2; use 'auto', or drop http2"
    if settings.proxy:
        yield f"{where}: asyncio speaks to no proxy; use 'auto', or drop proxy"
    elif shared.proxy:
        yield (
            f"{where}: asyncio speaks to no proxy, and HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names one; "
            "use 'auto', or add the host to NO_PROXY"
        )
