"""A call of a running gateway, as commands make it."""

from __future__ import annotations

from typing import Any

import httpx

from pointsman.errors import RequestError

_ANSWERS_WITHIN_S = 30.0


def call_gateway(
    url: str, method: str, path: str, *, key: str | None = None, body: Any = None
) -> dict[str, Any]:
    """What the gateway answers.

    Args:
        url: Its address, with or without `/v1`.
        method: HTTP method.
        path: Path from the root, `/v1/...`.
        key: The gateway's key, where it needs one.
        body: JSON to send.

    Raises:
        RequestError: Nobody answers there, or the gateway says what is wrong.
    """
    root = url.rstrip("/").removesuffix("/v1")
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    try:
        reply = httpx.request(method, root + path, json=body, headers=headers, timeout=_ANSWERS_WITHIN_S)
        answer: dict[str, Any] = reply.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise RequestError(f"no pointsman gateway answers at {root} ({error}); is it running?") from None
    if reply.is_success:
        return answer
    raise RequestError(str((answer.get("error") or {}).get("message", f"status {reply.status_code}")))
