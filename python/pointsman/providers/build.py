"""From settings to a provider."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pointsman.errors import ConfigError
from pointsman.providers.openai import OpenAIProvider
from pointsman.providers.transport import TransportSettings

if TYPE_CHECKING:
    from pointsman.providers.provider import Provider, ProviderSettings
    from pointsman.providers.transport import Transport


def build_provider(settings: ProviderSettings) -> Provider:
    """Return the adapter for a provider. Opens nothing: connections are made by the first call.

    Raises:
        ConfigError: An unknown `kind`, a `base_url` that is no URL, or a transport that is not installed.
    """
    problems = list(_problems(settings))
    if problems:
        raise ConfigError(problems)
    return OpenAIProvider(settings, _Transports(settings))


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
    if settings.api_key:
        headers["authorization"] = f"Bearer {settings.api_key}"
    headers |= {name.lower(): value for name, value in settings.headers.items()}
    return TransportSettings(
        provider=settings.name,
        headers=headers,
        connect_s=settings.timeouts.connect_s,
        http2=settings.http2,
        proxy=settings.proxy or _proxy_of_environment(settings.base_url),
        ca_file=settings.ca_file,
    )


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


def _proxy_of_environment(base_url: str) -> str | None:
    parts = urlsplit(base_url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def _problems(settings: ProviderSettings) -> list[str]:
    where = f"providers.{settings.name}"
    problems = []
    if settings.kind != "openai":
        problems.append(f"{where}.kind: {settings.kind!r} is not known; use 'openai'")
    parts = urlsplit(settings.base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        problems.append(
            f"{where}.base_url: {settings.base_url!r} is not an http(s) URL; "
            "give one like 'https://api.example.com/v1'"
        )
    return problems
