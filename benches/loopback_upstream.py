"""A provider on the loopback that costs next to nothing: a bench against it measures the client.

Speaks HTTP/1.1 with keep-alive and pipelining, parsed by hand: request line, content-length, nothing else.

    POST /v1/chat/completions   a canned chat completion of about 0.5 kB, or server-sent events (20 chunks, a
                                usage chunk, `[DONE]`) when the body holds `"stream":true`
    GET  /v1/models             one model
    GET  /health                `ok`

Run it in a process of its own; it prints one line `listening on http://127.0.0.1:PORT` when it is ready:

    python benches/loopback_upstream.py --port 4199 [--delay-ms 5] [--chunk-delay-ms 0]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from typing import cast

N_CHUNKS = 20
MODEL = "loopback-1"
_CREATED_S = 1_760_000_000
_LIMIT_HEADERS = b"x-ratelimit-limit-requests: 100000\r\nx-ratelimit-remaining-requests: 99999\r\n"


def _answer(body: bytes, *, content_type: bytes = b"application/json", status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %s\r\ncontent-type: %s\r\ncontent-length: %d\r\n" % (status, content_type, len(body))
    return head + _LIMIT_HEADERS + b"\r\n" + body


def _usage(n_output_tokens: int) -> dict[str, object]:
    return {
        "prompt_tokens": 24,
        "completion_tokens": n_output_tokens,
        "total_tokens": 24 + n_output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _completion() -> bytes:
    message = {"role": "assistant", "content": "A pointsman sets the points. " * 4, "refusal": None}
    return json.dumps(
        {
            "id": "chatcmpl-loopback",
            "object": "chat.completion",
            "created": _CREATED_S,
            "model": MODEL,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": _usage(28),
        },
        separators=(",", ":"),
    ).encode()


def _event(delta: dict[str, object] | None, finish_reason: str | None = None) -> bytes:
    """One SSE event, framed as one HTTP chunk. Without a delta: the usage event."""
    chunk: dict[str, object] = {
        "id": "chatcmpl-loopback",
        "object": "chat.completion.chunk",
        "created": _CREATED_S,
        "model": MODEL,
    }
    if delta is None:
        chunk |= {"choices": [], "usage": _usage(N_CHUNKS)}
    else:
        chunk |= {
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}],
            "usage": None,
        }
    return _framed(b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n")


def _framed(payload: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(payload), payload)


def _stream_parts() -> tuple[bytes, ...]:
    """What is written one by one: head and first chunk, the other chunks, the last one with the end."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
    first = _event({"role": "assistant", "content": ""})
    words = [_event({"content": f" word{i}"}) for i in range(N_CHUNKS - 2)]
    last = _event({}, "stop") + _event(None) + _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    return (head + _LIMIT_HEADERS + b"\r\n" + first, *words, last)


_COMPLETION = _answer(_completion())
_STREAM = _stream_parts()
_MODELS = _answer(
    json.dumps(
        {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "loopback"}]}
    ).encode()
)
_HEALTH = _answer(b"ok", content_type=b"text/plain")
_NOT_FOUND = _answer(b'{"error":{"message":"no such path"}}', status=b"404 Not Found")
_LENGTH_REQUIRED = _answer(b'{"error":{"message":"send content-length"}}', status=b"411 Length Required")


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self, delay_s: float, chunk_delay_s: float) -> None:
        self._delay_s = delay_s
        self._chunk_delay_s = chunk_delay_s
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._is_busy:
            self._next_request()

    def _next_request(self) -> None:
        """Answer the first request of the buffer if it is there whole."""
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = buffer[:end]
        n_body = _content_length(head)
        if n_body is None:
            self._transport.write(_LENGTH_REQUIRED)
            self._transport.close()
            return
        total = end + 4 + n_body
        if len(buffer) < total:
            return
        self._buffer = buffer[total:]
        self._is_busy = True
        if self._delay_s and head.startswith(b"POST"):
            self._loop.call_later(self._delay_s, self._answer, head, buffer[end + 4 : total])
        else:
            self._answer(head, buffer[end + 4 : total])

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"POST /v1/chat/completions"):
            if b'"stream":true' in body or b'"stream": true' in body:
                self._write_part(0)
                return
            self._transport.write(_COMPLETION)
        elif head.startswith(b"GET /v1/models"):
            self._transport.write(_MODELS)
        elif head.startswith(b"GET /health"):
            self._transport.write(_HEALTH)
        else:
            self._transport.write(_NOT_FOUND)
        self._done()

    def _write_part(self, i: int) -> None:
        """Write part `i`, the next one in the loop's next turn: one segment each, as from a real provider."""
        if self._transport.is_closing():
            return
        self._transport.write(_STREAM[i])
        if i + 1 == len(_STREAM):
            self._done()
        elif self._chunk_delay_s:
            self._loop.call_later(self._chunk_delay_s, self._write_part, i + 1)
        else:
            self._loop.call_soon(self._write_part, i + 1)

    def _done(self) -> None:
        self._is_busy = False
        if self._buffer:
            self._next_request()


def _content_length(head: bytes) -> int | None:
    """Length of the body; 0 without the header, `None` for a chunked request (which is not spoken here)."""
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    if at < 0:
        return None if b"\r\ntransfer-encoding:" in lower else 0
    stop = lower.find(b"\r\n", at + 2)
    return int(lower[at + 17 : stop if stop >= 0 else None])


async def _serve(host: str, port: int, delay_s: float, chunk_delay_s: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upstream(delay_s, chunk_delay_s), host, port, backlog=2048)
    bound = server.sockets[0].getsockname()[1]
    print(f"listening on http://{host}:{bound}", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one, printed")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="before the first byte of an answer")
    parser.add_argument("--chunk-delay-ms", type=float, default=0.0, help="between the chunks of a stream")
    args = parser.parse_args()
    try:
        from uvloop import new_event_loop
    except ImportError:
        from asyncio import new_event_loop  # type: ignore[assignment]
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(args.host, args.port, args.delay_ms / 1000, args.chunk_delay_ms / 1000))


if __name__ == "__main__":
    main()
