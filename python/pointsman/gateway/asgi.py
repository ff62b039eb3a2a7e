"""The few ASGI moves of the per-request path, on plain asyncio tasks.

Starlette's own request and response objects open an anyio task group a request (42-49 µs; see
`benches/bench_asgi_servers.py`), which is more than a decision costs. Everything that touches `receive` and
`send` on that path is here.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from pointsman.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.types import Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]
"""Response headers, as ASGI wants them: lower-case names, latin-1 values."""

_OUR_HEADER = b"x-pointsman-"
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

WATCH_AFTER_S = 0.03
"""How long an answer may take before its client is watched; within the 100 ms of the HTTP contract."""


class ClientGone(Exception):
    """The client closed the connection before its answer was complete."""


async def read_json(scope: Scope, receive: Receive, max_body_bytes: int) -> Any:
    """Read the request's body as JSON.

    Raises:
        RequestError: Too large, not UTF-8, or not JSON.
        ClientGone: The client left before it had sent all of it.
    """
    body = await _read_body(scope, receive, max_body_bytes)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        seen = f"at line {error.lineno} column {error.colno}" if body else "the body is empty"
        raise RequestError(
            f"the body is not valid JSON: {error.msg} ({seen}); send a JSON object",
            code="caller_invalid_json",
        ) from None


async def _read_body(scope: Scope, receive: Receive, max_body_bytes: int) -> bytes:
    n_declared = next((int(v) for k, v in scope["headers"] if k == b"content-length" and v.isdigit()), 0)
    chunks: list[bytes] = []
    n_bytes = 0
    while n_declared <= max_body_bytes:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        n_bytes += len(chunk)
        chunks.append(chunk)
        if n_bytes > max_body_bytes:
            break
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    raise RequestError(
        f"the body has {max(n_declared, n_bytes)} bytes or more, the limit is {max_body_bytes}; "
        "send less or raise server.max_body_mb",
        code="caller_body_too_large",
        status=413,
    )


def read_headers(scope: Scope) -> dict[str, str]:
    """The `x-pointsman-*` request headers, by what follows that prefix.

    Raises:
        RequestError: A web page of another site sent the request, or the body is compressed.
    """
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name.startswith(_OUR_HEADER):
            found[name[len(_OUR_HEADER) :].decode("latin-1")] = value.decode("latin-1")
        elif name == b"origin":
            _check_origin(value.decode("latin-1"))
        elif name == b"content-encoding" and value.lower() != b"identity":
            encoding = value.decode("latin-1")
            raise RequestError(
                f"content-encoding {encoding!r:.40} is not understood; send the body uncompressed",
                code="caller_unsupported_encoding",
                status=415,
            )
    return found


def read_cache_control(scope: Scope) -> str:
    """The value of the `Cache-Control` request header; empty if there is none."""
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"cache-control"]
    return ", ".join(values)


def _check_origin(origin: str) -> None:
    """Refuse what a browser sends for another site's page: any page could spend the user's money."""
    if urlsplit(origin).hostname not in _LOOPBACK_NAMES:
        raise RequestError(
            f"origin {origin!r:.100} is not this machine; call the gateway from a program, not a web page",
            code="caller_foreign_origin",
            status=403,
        )


def encode_headers(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> Headers:
    """Headers as ASGI wants them; what a header cannot carry becomes `?`."""
    pairs = dict(headers)
    values = [*pairs.values()]
    if not "".join(values).isprintable():
        values = [value if value.isprintable() else " ".join(value.split()) for value in values]
    # Encoded in one piece; no value holds the line feed between them.
    lines = "\n".join(values).encode("ascii", "replace").split(b"\n")
    return list(zip(map(_name, pairs), lines, strict=True))


@lru_cache(maxsize=256)
def _name(name: str) -> bytes:
    return name.encode("ascii", "replace")


async def send_json(send: Send, status: int, body: Any, headers: Headers) -> None:
    """Send a whole JSON answer."""
    payload = orjson.dumps(body)
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(payload)).encode()),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": payload})


async def start_events(send: Send, headers: Headers) -> None:
    """Start a Server-Sent-Events answer."""
    start = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-cache"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": 200, "headers": start})


async def send_event(send: Send, data: Any) -> None:
    """Send one event with JSON data."""
    payload = b"data: " + orjson.dumps(data) + b"\n\n"
    await send({"type": "http.response.body", "body": payload, "more_body": True})


async def send_named_events(send: Send, events: Iterable[tuple[str, Any]]) -> None:
    """Send events with a name and JSON data each, in one piece."""
    payload = b"".join(
        b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data)) for name, data in events
    )
    if payload:
        await send({"type": "http.response.body", "body": payload, "more_body": True})


async def end_events(send: Send, *, done: bool) -> None:
    """End a stream, with OpenAI's `[DONE]` if it is complete."""
    await send(
        {"type": "http.response.body", "body": b"data: [DONE]\n\n" if done else b"", "more_body": False}
    )


class ClientWatch:
    """Cancels the task it was made in when the client goes away.

    `with ClientWatch(receive): ...` around the waiting for providers; leaving it because of the client raises
    `ClientGone` instead of the cancellation. The watching task (30 µs) is started only for answers that take
    longer than `WATCH_AFTER_S`: an early leaver is noticed then.
    """

    __slots__ = ("_is_gone", "_loop", "_receive", "_task", "_timer", "_watch")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_gone = False
        self._watch: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("ClientWatch needs a running asyncio task")
        self._task = task
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(WATCH_AFTER_S, self._start)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None  # the traceback it ends with holds this object
        if self._is_gone and kind is asyncio.CancelledError:
            self._task.uncancel()
            raise ClientGone from None

    def _start(self) -> None:
        self._watch = self._loop.create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
        self._task.cancel()
