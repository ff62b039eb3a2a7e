"""The interface every adapter has, and the settings it is built from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import orjson

from pointsman.errors import RequestError
from pointsman.providers.transport import DEFAULT_TIMEOUTS, Timeouts
from pointsman.quick import quick

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from pointsman.types import Usage

TransportName = Literal["auto", "asyncio", "pyreqwest", "httpx"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """How to reach a provider. Equal settings may share connections; hashable.

    Attributes:
        name: Name of the provider in the catalog.
        kind: Wire protocol; `openai` is any server that speaks OpenAI's chat completions, `anthropic` one
            that speaks the Messages API, `gemini` one that speaks generateContent.
        base_url: URL that `/chat/completions`, `/messages` or `/models/...` is appended to, usually ending in
            `/v1` or `/v1beta`.
        api_key: Key, sent as the protocol wants it; `None` or empty: none is sent. Never printed.
        timeouts: Time limits of every call.
        headers: Further headers of every request. Never printed.
        http2: Whether to offer HTTP/2.
        proxy: URL of an HTTP proxy; `None`: what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say. Never printed.
        transport: HTTP client; `auto` chooses (see `default_transport`).
        ca_file: PEM file of further root certificates to trust.
        extensions: Whether a server of `kind` openai takes the fields beyond OpenAI's that
            `pointsman.protocols` lists; if not, they are left out or said in OpenAI's words.
    """

    name: str
    base_url: str
    kind: str = "openai"
    api_key: str | None = field(default=None, repr=False)
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    http2: bool = False
    proxy: str | None = field(default=None, repr=False)
    transport: TransportName = "auto"
    ca_file: str | None = None
    extensions: bool = True


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCall:
    """One chat completion to get.

    Attributes:
        upstream_model: What the provider calls the model.
        body: OpenAI chat body; the adapter sets `model`, `service_tier`, `stream` and `stream_options`.
        headers: Further headers of this request.
        service_tier: The deployment's tier as the provider calls it; `None`: its default. The adapter sends
            this in place of the body's, which is a wish that the decision has already weighed.
        max_output_tokens: The most tokens the model can write, for protocols that need a limit; `None`:
            unknown.
    """

    upstream_model: str
    body: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    service_tier: str | None = None
    max_output_tokens: int | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderReply:
    """A whole answer.

    Attributes:
        body: The chat completion: as the provider gave it, or translated.
        usage: Tokens used, `None` if the provider did not say.
        headers: Rate-limit headers (`x-ratelimit-*`, `anthropic-ratelimit-*`, `retry-after*`), lower-case
            names.
        status: HTTP status.
    """

    body: dict[str, Any]
    usage: Usage | None
    headers: Mapping[str, str]
    status: int = 200


class ProviderStream(Protocol):
    """An answer that is coming in. Iterate once; ends normally only when the answer is complete."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Rate-limit headers, as in `ProviderReply`."""

    @property
    def usage(self) -> Usage | None:
        """Tokens used, once the provider has said."""

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """Yield chat completion chunks, the one with the usage included.

        Raises:
            ProviderError: `provider_stream_broken` if the stream ends before its protocol's end of an answer;
                what the provider says, if it sends an error event.
        """


class Provider(Protocol):
    """Serves models over one wire protocol. Works under asyncio and trio, and from any number of tasks."""

    @property
    def name(self) -> str:
        """Name of the provider in the catalog."""

    async def complete(self, call: ProviderCall) -> ProviderReply:
        """Get a whole answer.

        Raises:
            ProviderError: It failed; says whether another deployment may do better.
            RequestError: The body cannot be sent (a lone surrogate, a header that is not one), or asks for
                what the protocol has no concept of.
        """

    def stream(self, call: ProviderCall) -> AbstractAsyncContextManager[ProviderStream]:
        """Get an answer as a stream; leaving closes the upstream connection. Errors as `complete`."""

    async def list_models(self) -> list[str]:
        """Return the names of the models the provider serves, sorted."""

    async def aclose(self) -> None:
        """Close all connections."""


def written(body: Mapping[str, Any]) -> bytes:
    """A body as JSON.

    Raises:
        RequestError: It holds what JSON cannot.
    """
    try:
        return orjson.dumps(body)
    except TypeError as error:
        # orjson names the reason, not the value.
        raise RequestError(f"the request cannot be written as JSON: {error}") from None
