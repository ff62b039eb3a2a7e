"""What the routed endpoints share: read, decide, and answer every error in the client's shape."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Any

from pointsman.gateway.asgi import ClientGone, read_cache_control, read_headers, read_json, send_json
from pointsman.gateway.failure import Failure, ShuttingDown
from pointsman.gateway.guard import key_of
from pointsman.gateway.headers import failure_headers
from pointsman.gateway.metrics import count_refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from pointsman._native import Decision
    from pointsman.keys import Key
    from pointsman.router import ChatRequest, Router


class Exchange:
    """One HTTP request under way: what came in, what was decided, and whether an answer has begun.

    Attributes:
        started_s: `perf_counter` at which the request came in.
        decision: What was decided, once it is.
        shape: What a failure looks like in the protocol the client speaks.
        has_begun: Whether response headers were sent, after which an error can no longer change them.
        key: The key it came with; `None`: none is needed.
    """

    __slots__ = ("decision", "has_begun", "key", "receive", "router", "scope", "send", "shape", "started_s")

    def __init__(
        self, router: Router, scope: Scope, receive: Receive, send: Send, shape: Callable[[Failure], Any]
    ) -> None:
        self.router = router
        self.scope = scope
        self.receive = receive
        self.send = send
        self.started_s = perf_counter()
        self.decision: Decision | None = None
        self.has_begun = False
        self.key: Key | None = key_of(scope)
        self.shape = shape

    @property
    def elapsed_us(self) -> float:
        """Time since the request came in."""
        return (perf_counter() - self.started_s) * 1e6

    async def decide(self, to_chat: Callable[[Any], Any] | None = None) -> tuple[ChatRequest, Decision]:
        """Read the body, as a chat body or as what `to_chat` makes one of, and decide."""
        headers, body = await self.read()
        if to_chat is not None:
            body = to_chat(body)
        cache_control = read_cache_control(self.scope) if self.router.cache is not None else ""
        chat = self.router.parse(body, headers, cache_control=cache_control, key=self.key)
        self.decision = decision = self.router.decide_request(chat)
        return chat, decision

    async def read(self) -> tuple[dict[str, str], Any]:
        """Our headers without their prefix, and the body."""
        headers = read_headers(self.scope)
        max_body_bytes = int(self.router.registry.server.max_body_mb * 2**20)
        return headers, await read_json(self.scope, self.receive, max_body_bytes)

    async def fail(self, error: Exception) -> None:
        """Answer an error, unless an answer has begun."""
        failure = Failure.of(error, self.decision.decision_id if self.decision else None, self.key)
        if self.decision is None:
            count_refused(self.scope, failure.body["error"]["code"])
        if not self.has_begun:
            overhead_us = self.elapsed_us - failure.upstream_ms * 1e3
            headers = failure_headers(failure, self.decision, overhead_us)
            await send_json(self.send, failure.status, self.shape(failure), headers)


class RoutedEndpoint:
    """An ASGI endpoint over the router; subclasses answer one exchange.

    The router lives in the application's state: Starlette puts it into every scope.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope["state"]["router"], scope, receive, send, self.shape)
        try:
            await self.answer(exchange)
        except ClientGone:
            return
        except asyncio.CancelledError:  # the server gave up waiting for us after SIGTERM
            await exchange.fail(ShuttingDown())
        except Exception as error:  # the gateway's edge: whatever it is, the client gets an error it can read
            await exchange.fail(error)

    async def refuse(self, scope: Scope, receive: Receive, send: Send, error: Exception) -> None:
        """Answer a request that is not let in, as this endpoint answers its errors."""
        await Exchange(scope["state"]["router"], scope, receive, send, self.shape).fail(error)

    def shape(self, failure: Failure) -> Any:
        """The body of an error; OpenAI's."""
        return failure.body

    async def answer(self, exchange: Exchange) -> None:
        """Answer the exchange, or raise."""
        raise NotImplementedError
