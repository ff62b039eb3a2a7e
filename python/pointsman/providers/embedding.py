"""A provider's embeddings behind the calls that completions are made by, so that both take one path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from pointsman.providers.provider import Provider, ProviderCall, ProviderReply


class _Embedder(Protocol):
    async def embed(self, call: ProviderCall) -> ProviderReply: ...


class Embedding:
    """Answers a call with embeddings."""

    __slots__ = ("_provider", "name")

    def __init__(self, provider: Provider) -> None:
        self._provider = cast("_Embedder", provider)
        self.name = provider.name

    async def complete(self, call: ProviderCall) -> ProviderReply:
        """The embeddings of the call's input; errors as `Provider.complete`."""
        return await self._provider.embed(call)
