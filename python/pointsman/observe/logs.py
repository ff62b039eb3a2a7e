"""Structured logs: a JSON object a line, and one line a request. No prompt, answer or key is ever in them."""

from __future__ import annotations

import logging
import time
import traceback
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import orjson

from pointsman.errors import PointsmanError

if TYPE_CHECKING:
    from types import TracebackType

    from pointsman.types import Served

REQUESTS = "pointsman.requests"
"""Name of the logger that tells of each request."""
_FIELDS = "pointsman_fields"
_MAX_MESSAGE = 2000


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object on one line: `at`, `level`, `logger`, `message`, and its fields.

    Of an exception it tells the type and where it was raised; what it says only if it is one of ours, because
    the text of another can quote what was being worked on.
    """

    _second: tuple[int, str] = (-1, "")

    def _at(self, created_s: float) -> str:
        """A time as `2026-11-28T12:00:00.123Z`; the part up to the second is kept for the next."""
        second = int(created_s)
        known, text = self._second
        if known != second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = (second, text)
        return f"{text}.{int((created_s - second) * 1000):03d}Z"

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        said: dict[str, Any] = {
            "at": self._at(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:_MAX_MESSAGE],
        }
        fields: dict[str, Any] | None = getattr(record, _FIELDS, None)
        if fields is not None:
            said |= fields
        if record.exc_info and record.exc_info[0] is not None:
            said["exception"] = _exception(*record.exc_info)
        return orjson.dumps(said, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _exception(
    kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
) -> dict[str, Any]:
    frames = traceback.extract_tb(trace)
    return {
        "type": kind.__name__ if kind else None,
        "message": str(error) if isinstance(error, PointsmanError) else None,
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }


class LogObserver:
    """Logs a line a request under `pointsman.requests`, level info. About 15 µs each, writing included."""

    wants_answers = False

    def __init__(self) -> None:
        self._log = logging.getLogger(REQUESTS)

    def served(self, served: Served) -> None:
        """Log a request."""
        if self._log.isEnabledFor(logging.INFO):
            record = self._log.makeRecord(
                REQUESTS, logging.INFO, "", 0, "request", (), None, extra={_FIELDS: fields_of(served)}
            )
            self._log.handle(record)


class LogFormat(StrEnum):
    """How logs are written."""

    TEXT = "text"
    JSON = "json"


def set_up_logging(log_format: LogFormat) -> None:
    """Log to stderr from level info on: as text, or as JSON with a line a request."""
    handler = logging.StreamHandler()
    if log_format is LogFormat.JSON:
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger(REQUESTS).setLevel(logging.WARNING)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # It logs every change it sees; a log file beside the config would then be a change without end.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)


def fields_of(served: Served) -> dict[str, Any]:
    """What a log may say of a request: who, how much and how long, and nothing that anybody wrote."""
    usage = served.usage
    return {
        "decision_id": served.decision.decision_id,
        "tenant": served.request.tenant,
        "key_id": served.key_id,
        "operation": served.operation,
        "policy": served.policy,
        "strategy": served.decision.strategy,
        "model": served.model,
        "deployment": served.deployment,
        "provider": served.provider,
        "code": served.error_code or "ok",
        "is_stream": served.is_stream,
        "is_cut": served.is_cut,
        "cache": served.cache.status,
        "n_attempts": len(served.attempts),
        "n_input_tokens": usage.n_input_tokens if usage else None,
        "n_output_tokens": usage.n_output_tokens if usage else None,
        "cost_usd": served.cost_usd,
        "baseline_cost_usd": served.baseline_cost_usd,
        "latency_ms": round(served.latency_ms, 3),
        "ttft_ms": None if served.ttft_ms is None else round(served.ttft_ms, 3),
        "overhead_us": round(served.overhead_us, 1),
    }
