"""The trace that calls are made in, as W3C Trace Context has it: what providers may be told of it."""

from __future__ import annotations

import re
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_MAX_STATE = 512
"""Characters of `tracestate` that everybody must pass on; a longer one is dropped whole."""

NO_TRACE: Mapping[str, str] = {}
CALLER: ContextVar[Mapping[str, str]] = ContextVar("pointsman_caller_trace", default=NO_TRACE)
"""The caller's own headers, read by `read_trace`; empty: there are none."""


def read_trace(traceparent: str | None, tracestate: str | None = None) -> Mapping[str, str]:
    """The headers that go on with a caller's trace; empty where `traceparent` is no valid one.

    Examples:
        >>> read_trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")["traceparent"][:7]
        '00-0af7'
        >>> read_trace("00-" + "0" * 32 + "-b7ad6b7169203331-01")
        {}
    """
    if traceparent is None or not _TRACEPARENT.fullmatch(traceparent):
        return NO_TRACE
    headers = {"traceparent": traceparent}
    if tracestate and len(tracestate) <= _MAX_STATE and tracestate.isascii() and tracestate.isprintable():
        headers["tracestate"] = tracestate
    return headers


def current_trace() -> Mapping[str, str]:
    """Headers of the trace this runs in: OpenTelemetry's current span, else the gateway's caller's."""
    # Whoever traces has imported it: there is no span where nobody did.
    otel = sys.modules.get("opentelemetry.trace")
    span = otel.get_current_span().get_span_context() if otel is not None else None
    if span is None or not span.is_valid:
        return CALLER.get()
    parent = f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags):02x}"
    return read_trace(parent, span.trace_state.to_header())
