"""A call of a running gateway, as commands make it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import httpx

from pointsman.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_VARIABLE = "POINTSMAN_API_KEY"
"""Environment variable with the key that commands send to a gateway."""
_ANSWERS_WITHIN_S = 30.0


def call_gateway(
    url: str, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None
) -> dict[str, Any]:
    """What the gateway answers.

    Args:
        url: Its address, with or without `/v1`.
        method: HTTP method.
        path: Path from the root, `/v1/...`.
        query: Query parameters.
        body: JSON to send.

    Raises:
        RequestError: Nobody answers there, or the gateway says what is wrong.
    """
    root = url.rstrip("/").removesuffix("/v1")
    key = os.environ.get(KEY_VARIABLE)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        reply = httpx.request(
            method, root + path, params=query, json=body, headers=headers, timeout=_ANSWERS_WITHIN_S
        )
        answer: dict[str, Any] = reply.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise RequestError(f"no pointsman gateway answers at {root} ({error}); is it running?") from None
    if reply.is_success:
        return answer
    raise RequestError(str((answer.get("error") or {}).get("message", f"status {reply.status_code}")))
