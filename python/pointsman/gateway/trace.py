"""The caller's trace, kept for the calls that its request leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.providers.trace import CALLER, read_trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextvars import Token


class passing_on:
    """Inside, providers with `forward_traceparent` are told the trace that a request's headers name."""

    __slots__ = ("_headers", "_token")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._headers = headers
        self._token: Token[Mapping[str, str]] | None = None

    def __enter__(self) -> None:
        parent = state = None
        for name, value in self._headers:
            if name == b"traceparent":
                parent = value.decode("latin-1")
            elif name == b"tracestate":
                state = value.decode("latin-1")
        if parent is not None:
            self._token = CALLER.set(read_trace(parent, state))

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            CALLER.reset(self._token)
