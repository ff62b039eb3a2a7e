"""What adapters that speak HTTP share: settings, transport, errors, and the list of models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman.providers.answers import error_of, parsed, secrets_of
from pointsman.providers.transport import HttpCall, malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pointsman.errors import ProviderError, RequestError
    from pointsman.providers.provider import ProviderSettings
    from pointsman.providers.transport import HttpReply, Transport


class HttpProvider:
    """A server that is spoken to over HTTP.

    Args:
        settings: Where it is and how to reach it.
        transport: Returns the transport to use in the running async library, the same one every time.
    """

    def __init__(self, settings: ProviderSettings, transport: Callable[[], Transport]) -> None:
        self.settings = settings
        self._secrets = secrets_of(settings)
        self._transport = transport
        self._base_url = settings.base_url.rstrip("/")

    @property
    def name(self) -> str:
        """Name of the provider in the catalog."""
        return self.settings.name

    async def aclose(self) -> None:
        """Close all connections of the running async library."""
        await self._transport().aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.settings!r})"

    async def _sent(self, call: HttpCall) -> HttpReply:
        """The reply with status 200; any other is raised as an error."""
        reply = await self._transport().send(call)
        if reply.status != 200:
            raise self._error(reply.status, reply.headers, reply.body)
        return reply

    async def _listed(self, url: str, field: str) -> list[Any]:
        """What a server's list of models holds in a field."""
        reply = await self._sent(HttpCall("GET", url, timeouts=self.settings.timeouts))
        models = parsed(self.name, reply.status, reply.body).get(field)
        if not isinstance(models, list):
            raise malformed(self.name, f"the list of models has no `{field}`; check base_url", status=200)
        return models

    def _error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError | RequestError:
        return error_of(self.name, status, headers, body, secrets=self._secrets)


def ids_of(models: Iterable[Any]) -> Iterator[str]:
    """The ids of listed models; what has none is none."""
    for model in models:
        if isinstance(model, dict) and isinstance(model.get("id"), str):
            yield model["id"]
