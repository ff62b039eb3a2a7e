"""Settings of the providers' adapters, made of the config; here keys leave their masks."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pointsman.providers import ProviderSettings, Timeouts

if TYPE_CHECKING:
    from pointsman.config import Config, Secret
    from pointsman.config import ProviderSettings as ConfiguredProvider


def provider_settings(config: Config) -> tuple[ProviderSettings, ...]:
    """What each provider's adapter is built from, in the config's order."""
    return tuple(_settings(name, configured) for name, configured in config.providers.items())


def _settings(name: str, configured: ConfiguredProvider) -> ProviderSettings:
    timeouts = configured.timeouts
    return ProviderSettings(
        name=name,
        kind=configured.kind,
        base_url=configured.base_url,
        api_key=_revealed(configured.api_key),
        timeouts=Timeouts(
            connect_s=timeouts.connect_s,
            first_byte_s=timeouts.first_byte_s,
            idle_s=timeouts.idle_s,
            total_s=timeouts.total_s,
        ),
        headers={header: value.get_secret_value() for header, value in configured.headers.items()},
        http2=configured.http2,
        proxy=_revealed(configured.proxy),
        transport=configured.transport,
        ca_file=configured.ca_file,
        extensions=_takes_extensions(configured),
    )


def _takes_extensions(configured: ConfiguredProvider) -> bool:
    """As configured; else all servers but the hosted ones that are known to refuse them."""
    if configured.extensions is not None:
        return configured.extensions
    from pointsman.config import KNOWN_PROVIDERS

    hosts = {urlsplit(known.base_url).hostname for known in KNOWN_PROVIDERS.values() if not known.extensions}
    return urlsplit(configured.base_url).hostname not in hosts


def _revealed(secret: Secret) -> str | None:
    return secret.get_secret_value() if secret else None
