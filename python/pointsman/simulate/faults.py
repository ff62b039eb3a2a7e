"""What can go wrong at a provider: the kinds of fault, and what each does on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FaultKind = Literal[
    "rate_limited",
    "rate_limited_date",
    "server_error",
    "bad_gateway",
    "unavailable",
    "overloaded",
    "unauthorized",
    "slow_first_token",
    "hang",
    "disconnect",
    "truncate",
    "idle",
    "no_finish",
    "no_done",
    "error_event",
    "error_body",
    "malformed",
    "empty",
    "wrong_usage",
    "no_usage",
]
Moment = Literal["head", "first_token", "token", "end"]
"""When a fault shows: in place of the answer, before its first token, in its middle, at its end."""


@dataclass(frozen=True, slots=True)
class FaultRule:
    """How a kind of fault behaves.

    Attributes:
        does: What a client sees, in one sentence; the table of `pointsman simulate --list`.
        moment: When it shows.
        status: HTTP status of the answer; 0: none is sent.
        is_failure: Whether the answer is lost; False where a careful client has all of it.
        streams_only: Whether it leaves whole answers as they are.
    """

    does: str
    moment: Moment
    status: int = 200
    is_failure: bool = True
    streams_only: bool = False


FAULTS: dict[FaultKind, FaultRule] = {
    "rate_limited": FaultRule("429, Retry-After in seconds", "head", 429),
    "rate_limited_date": FaultRule("429, Retry-After as an HTTP date", "head", 429),
    "server_error": FaultRule("500 with an error object", "head", 500),
    "bad_gateway": FaultRule("502 with an HTML page", "head", 502),
    "unavailable": FaultRule("503 with an error object, Retry-After if given", "head", 503),
    "overloaded": FaultRule("529, as Anthropic sends it", "head", 529),
    "unauthorized": FaultRule("401, as for a revoked key", "head", 401),
    "slow_first_token": FaultRule(
        "the first token comes delay_s later", "first_token", 200, is_failure=False
    ),
    "hang": FaultRule("never answers, the connection stays open", "head", 0),
    "disconnect": FaultRule("closes the connection before the first byte", "head", 0),
    "truncate": FaultRule("breaks the connection after after_tokens tokens", "token"),
    "idle": FaultRule("falls silent after after_tokens tokens, the connection stays open", "token"),
    "no_finish": FaultRule(
        "the stream ends in order after after_tokens tokens, without finish reason and [DONE]",
        "token",
        streams_only=True,
    ),
    "no_done": FaultRule(
        "the stream is whole but for its [DONE]", "end", is_failure=False, streams_only=True
    ),
    "error_event": FaultRule(
        "an error event after after_tokens tokens of a stream; whole: a 200 with an error object", "token"
    ),
    "error_body": FaultRule("status 200 with an error object instead of an answer", "head"),
    "malformed": FaultRule("broken JSON: the body, or an event after after_tokens tokens", "token"),
    "empty": FaultRule("status 200 with an empty body", "head"),
    "wrong_usage": FaultRule("usage whose parts are larger than their sums", "end", is_failure=False),
    "no_usage": FaultRule("no usage, although it was asked for", "end", is_failure=False),
}
"""Every kind of fault."""
