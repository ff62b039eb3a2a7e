"""The proxy that the environment asks for, as curl and httpx read it."""

from __future__ import annotations

import logging
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

_log = logging.getLogger("pointsman.providers")


def proxy_of_environment(base_url: str) -> str | None:
    """Return the URL of the proxy that HTTPS_PROXY or HTTP_PROXY, then ALL_PROXY, name for a URL.

    `None` for hosts that NO_PROXY excepts and for this machine's own, which no proxy reaches. A value that
    is no HTTP proxy is passed over with a warning: it is often meant for other programs.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if _is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    for scheme in (parts.scheme, "all"):
        proxy = proxies.get(scheme)
        if not proxy:
            continue
        url = proxy if "://" in proxy else f"http://{proxy}"
        if is_http_url(url):
            return url
        warn_of_ignored(scheme)
    return None


def is_http_url(url: str) -> bool:
    """Whether it is an http:// or https:// URL with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


@lru_cache
def warn_of_ignored(scheme: str) -> None:
    """Warn, once, without the value: it may hold a password."""
    _log.warning(
        "%s_PROXY is not an http:// or https:// proxy and is ignored; "
        "set `proxy` of the provider, or the host in NO_PROXY",
        scheme.upper(),
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
