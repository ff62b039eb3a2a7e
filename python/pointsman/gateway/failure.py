"""What went wrong, in OpenAI's error shape.

The codes are a closed list, prefixed by who is at fault: `caller_*`, `policy_*`, `provider_*`, `pointsman_*`
(and `no_feasible_deployment`, which the HTTP contract names without a prefix).
"""

from __future__ import annotations

import logging
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from pointsman.errors import (
    ConfigError,
    InvalidInput,
    LimitExceeded,
    NoFeasibleDeployment,
    PointsmanError,
    ProviderError,
    RequestError,
    StoreUnavailable,
)
from pointsman.gateway.guard import known_to

if TYPE_CHECKING:
    from pointsman.keys import Key

_LOG = logging.getLogger("pointsman.gateway")

_PROVIDER_STATUS = {
    "provider_auth": 502,
    "provider_exhausted": 502,
    "provider_malformed": 502,
    "provider_model_not_found": 502,
    "provider_rate_limited": 429,
    "provider_stream_broken": 502,
    "provider_timeout": 504,
    "provider_unavailable": 503,
    "provider_unreachable": 502,
}
_MAX_MESSAGE = 1000
_MAX_PARAM = 100
_PARAM_PATH = re.compile(r"(messages|tools|response_format)[\w.\[\]]*")
_TYPE_BY_FAULT = {
    "caller": "invalid_request_error",
    "policy": "policy_error",
    "no": "policy_error",
    "provider": "provider_error",
    "pointsman": "server_error",
}


class ShuttingDown(PointsmanError):
    """The gateway ends before the answer is there."""

    def __init__(self) -> None:
        super().__init__("the gateway is shutting down and this answer took too long; ask again")


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as the client sees it.

    Attributes:
        status: HTTP status.
        body: `{"error": {message, type, code, param, decision_id}}`, with `candidates` when infeasible.
        retry_after_s: Seconds after which another try may succeed, if known.
        attempts: Number of calls made.
        upstream_ms: Time spent waiting for providers.
    """

    status: int
    body: dict[str, Any]
    retry_after_s: int | None = None
    attempts: int = 0
    upstream_ms: float = 0.0

    @staticmethod
    def of(error: Exception, decision_id: str | None = None, key: Key | None = None) -> Failure:
        """Turn any exception into what the client, who came with this key, may see of it."""
        if isinstance(error, NoFeasibleDeployment):
            return _infeasible(error, key)
        if isinstance(error, ProviderError):
            return _provider_failure(error, decision_id)
        if isinstance(error, LimitExceeded):
            return _limited(error, decision_id)
        if isinstance(error, RequestError):
            return Failure(error.status, _body(str(error), error.code, error.param, decision_id))
        if isinstance(error, InvalidInput):
            return Failure(400, _body(str(error), "caller_invalid_request", _param(str(error)), decision_id))
        if isinstance(error, ShuttingDown):
            return Failure(503, _body(str(error), "pointsman_shutting_down", None, decision_id))
        if isinstance(error, StoreUnavailable):
            return Failure(503, _body(str(error), "pointsman_store_unavailable", None, decision_id), 1)
        if isinstance(error, PointsmanError) and not isinstance(error, ConfigError):
            return Failure(500, _body(str(error), "pointsman_error", None, decision_id))
        _LOG.error("request failed inside pointsman (decision %s)", decision_id, exc_info=error)
        message = "pointsman failed on this request; its log has the details under this decision id"
        return Failure(500, _body(message, "pointsman_internal", None, decision_id))


def _body(message: str, code: str, param: str | None, decision_id: str | None) -> dict[str, Any]:
    return {
        "error": {
            "message": _clipped(message, _MAX_MESSAGE),
            "type": _TYPE_BY_FAULT[code.split("_", 1)[0]],
            "code": code,
            "param": param and _clipped(param, _MAX_PARAM),
            "decision_id": decision_id,
        }
    }


def _clipped(text: str, n_characters: int) -> str:
    """A text that repeats what the caller sent, kept short."""
    return text if len(text) <= n_characters else text[: n_characters - 1] + "…"


def _infeasible(error: NoFeasibleDeployment, key: Key | None) -> Failure:
    body = _body(str(error), "no_feasible_deployment", None, error.infeasible.decision_id)
    body["error"]["binding_constraint"] = error.infeasible.code
    body["error"]["candidates"] = known_to(key, orjson.loads(error.infeasible.to_json())["candidates"])
    return Failure(422, body)


def _limited(error: LimitExceeded, decision_id: str | None) -> Failure:
    body = _body(str(error), error.code, None, decision_id)
    if error.budget is None:
        body["error"]["type"] = "rate_limit_error"
    else:
        body["error"]["budget"] = error.budget
    return Failure(error.status, body, math.ceil(error.retry_after_s))


def _provider_failure(error: ProviderError, decision_id: str | None) -> Failure:
    status = _PROVIDER_STATUS.get(error.code, 502)
    body = _body(str(error), error.code, None, decision_id)
    if error.code == "provider_rejected":
        # The caller's fault in the upstream's words: its status, message and parameter are the useful ones.
        status = error.status or 400
        body["error"] |= {
            name: error.body[name] for name in ("message", "param") if error.body and name in error.body
        }
        body["error"]["type"] = "invalid_request_error"
    if error.code == "provider_rate_limited":
        body["error"]["type"] = "rate_limit_error"
    retry_after_s = None if error.retry_after_s is None else math.ceil(error.retry_after_s)
    upstream_ms = sum(attempt.latency_ms for attempt in error.attempts)
    return Failure(status, body, retry_after_s, len(error.attempts), upstream_ms)


def _param(message: str) -> str | None:
    """The parameter an `InvalidInput` starts with, as in `messages[0].role is ...`."""
    path = _PARAM_PATH.match(message)
    return path[0].rstrip(".:") if path else None
