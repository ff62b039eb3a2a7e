"""What goes over the wire for one call, and when: the faults applied, whatever the dialect."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Literal, Protocol

import orjson

from pointsman.simulate.faults import FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pointsman.simulate.answers import Answer
    from pointsman.simulate.provider import Call

Ending = Literal["complete", "break", "silence"]
"""After the last part: the answer ends in order, the connection breaks, or nothing ever comes."""
UsageKind = Literal["right", "wrong", "none"]


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes that are due.

    Attributes:
        due_s: Seconds from the call's arrival.
        data: The bytes.
        n_tokens: Tokens sent when these are.
    """

    due_s: float
    data: bytes
    n_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer on its way out.

    Attributes:
        status: HTTP status; 0: no head is sent.
        parts: The body, in order.
        ending: What follows the last part.
        n_bytes: Length the head promises; `None`: a stream in chunks.
        content_type: Of the body.
        headers: Further headers.
        is_failure: Whether the provider counts the call as failed.
    """

    status: int
    parts: Iterator[Part]
    ending: Ending = "complete"
    n_bytes: int | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    is_failure: bool = False


class Dialect(Protocol):
    """How one wire protocol says things."""

    def whole(self, call: Call, said: Answer, usage: UsageKind) -> dict[str, Any]:
        """The body of a whole answer."""

    def opening(self, call: Call, said: Answer) -> bytes:
        """The events before the first token."""

    def token(self, call: Call, said: Answer, index: int) -> bytes:
        """The event of one token."""

    def closing(self, call: Call, said: Answer, usage: UsageKind, *, is_done: bool) -> bytes:
        """The events after the last token; `is_done`: the mark of the end among them."""

    def error(self, status: int, message: str) -> dict[str, Any]:
        """The body of an error."""

    def error_event(self) -> bytes:
        """An error in the middle of a stream."""


def make_reply(call: Call, said: Answer, dialect: Dialect) -> Reply:
    """What the provider sends for `call`, whose answer would be `said`."""
    fault = call.course.fault
    if fault and FAULTS[fault.kind].moment == "head":
        return _instead(call, dialect)
    return _stream(call, said, dialect) if call.ask.is_stream else _whole(call, said, dialect)


def json_reply(document: Mapping[str, Any], status: int = 200) -> Reply:
    """A JSON body, at once."""
    return _body(orjson.dumps(document), 0.0, status=status)


def refusal(status: int, message: str, dialect: Dialect) -> Reply:
    """An error answer, at once."""
    return _body(orjson.dumps(dialect.error(status, message)), 0.0, status=status, is_failure=True)


def _body(data: bytes, due_s: float, n_tokens: int = 0, **settings: Any) -> Reply:
    settings = {"status": 200, "n_bytes": len(data), **settings}
    return Reply(parts=iter([Part(due_s, data, n_tokens)]), **settings)


def _instead(call: Call, dialect: Dialect) -> Reply:
    """What comes in place of an answer."""
    fault = call.course.fault
    assert fault is not None  # noqa: S101 - the caller has looked
    if fault.kind in ("hang", "disconnect"):
        parts = iter([Part(fault.delay_s, b"")])
        return Reply(0, parts, "silence" if fault.kind == "hang" else "break", is_failure=True)
    if fault.kind == "empty":
        return _body(b"", fault.delay_s, is_failure=True)
    if fault.kind == "error_body":
        error = orjson.dumps(dialect.error(500, "simulated failure inside a 200"))
        return _body(error, fault.delay_s, is_failure=True)
    status = call.course.status
    if fault.kind == "bad_gateway":
        page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
        return _body(page, fault.delay_s, status=status, content_type="text/html", is_failure=True)
    error = orjson.dumps(dialect.error(status, f"simulated {fault.kind.replace('_', ' ')}"))
    return _body(error, fault.delay_s, status=status, headers=_retry(call), is_failure=True)


def _retry(call: Call) -> dict[str, str]:
    fault, wait_s = call.course.fault, call.course.retry_after_s
    if fault and fault.kind.startswith("rate_limited") and wait_s is None:
        wait_s = 1.0
    if wait_s is None:
        return {}
    if fault and fault.kind == "rate_limited_date":
        # A date has whole seconds: rounded up, a client that obeys is never early.
        return {"retry-after": formatdate(int(time.time() + wait_s) + 1, usegmt=True)}
    return {"retry-after": f"{wait_s:.3f}".rstrip("0").rstrip(".")}


def _usage_of(call: Call) -> UsageKind:
    kind = call.course.fault.kind if call.course.fault else None
    return "wrong" if kind == "wrong_usage" else "none" if kind == "no_usage" else "right"


def _whole(call: Call, said: Answer, dialect: Dialect) -> Reply:
    data = orjson.dumps(dialect.whole(call, said, _usage_of(call)))
    fault, n_tokens, due_s = call.course.fault, call.course.n_tokens, call.course.due_s(call.course.n_tokens)
    if fault and fault.kind == "truncate":
        half = iter([Part(call.course.ttft_s, data[: len(data) // 2])])
        return Reply(200, half, "break", len(data), is_failure=True)
    if fault and fault.kind == "malformed":
        return _body(data[: len(data) // 2], due_s, is_failure=True)
    return _body(data, due_s, n_tokens)


def _stream(call: Call, said: Answer, dialect: Dialect) -> Reply:
    fault = call.course.fault
    endings: dict[str, Ending] = {"truncate": "break", "idle": "silence"}
    return Reply(
        200,
        _parts(call, said, dialect),
        endings.get(fault.kind, "complete") if fault else "complete",
        content_type="text/event-stream",
        is_failure=not call.course.is_answered,
    )


def _parts(call: Call, said: Answer, dialect: Dialect) -> Iterator[Part]:
    course, fault = call.course, call.course.fault
    yield Part(course.ttft_s, dialect.opening(call, said))
    for index in range(min(course.n_sent, len(said.pieces))):
        yield Part(course.due_s(index), dialect.token(call, said, index), index + 1)
    n_sent, due_s = min(course.n_sent, len(said.pieces)), course.due_s(course.n_sent)
    if fault and fault.kind == "error_event":
        yield Part(due_s, dialect.error_event(), n_sent)
    elif fault and fault.kind == "malformed":
        yield Part(due_s, dialect.token(call, said, 0)[:-12] + b"\n\n", n_sent)
    elif fault is None or fault.kind not in ("truncate", "idle", "no_finish"):
        is_done = fault is None or fault.kind != "no_done"
        yield Part(due_s, dialect.closing(call, said, _usage_of(call), is_done=is_done), n_sent)
