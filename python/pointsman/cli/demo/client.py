"""Sends the demo's requests with the stock `openai` client, and reads what pointsman says of each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import openai

from pointsman.cli.demo.report import Answered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.cli.demo.scenario import DemoRequest

TIMEOUT_S = 60.0
AXES = ("complexity", "domain", "structure", "latency")


def connect(base_url: str) -> openai.OpenAI:
    """A client of the gateway at `base_url`; it does not retry, so that every failure is seen."""
    return openai.OpenAI(base_url=base_url, api_key="none-needed", max_retries=0, timeout=TIMEOUT_S)


def send(client: openai.OpenAI, request: DemoRequest) -> Answered:
    """Send one request and read the whole answer; a failure is told in the result, not raised."""
    started_s = time.perf_counter()
    try:
        return _send(client, request, started_s)
    except openai.APIStatusError as error:
        message = _message(error)
        is_expected = error.status_code == 422 and not request.is_feasible
        return Answered(
            title=request.title,
            reason=message,
            latency_ms=_since_ms(started_s),
            overhead_us=_number(error.response.headers.get("x-pointsman-overhead-us")),
            error="" if is_expected else f"{error.status_code} {message}",
        )
    except openai.APIError as error:
        return Answered(title=request.title, error=str(error), latency_ms=_since_ms(started_s))


def _send(client: openai.OpenAI, request: DemoRequest, started_s: float) -> Answered:
    keywords = request.keywords()
    raw: Any = client.chat.completions.with_raw_response.create(**keywords)
    ttft_ms = None
    if keywords.get("stream"):
        text, metadata, ttft_ms = _read_stream(raw.parse(), started_s)
    else:
        completion = raw.parse()
        message = completion.choices[0].message
        metadata = (completion.model_extra or {}).get("pointsman_metadata") or {}
        calls = [f"{call.function.name}({call.function.arguments})" for call in message.tool_calls or ()]
        text = message.content or ", ".join(calls)
    headers = raw.headers
    return Answered(
        title=request.title,
        profile=_profile(metadata),
        model=headers["x-pointsman-model"],
        deployment=headers["x-pointsman-deployment"],
        reason=headers["x-pointsman-reason"],
        cost_usd=float(metadata.get("cost_usd", headers["x-pointsman-cost-usd"])),
        baseline_cost_usd=float(metadata.get("baseline_cost_usd", headers["x-pointsman-baseline-cost-usd"])),
        latency_ms=_since_ms(started_s),
        ttft_ms=ttft_ms,
        overhead_us=_number(headers.get("x-pointsman-overhead-us")),
        text=text,
        error="" if request.is_feasible else "answered, although its limits are impossible",
    )


def _read_stream(chunks: Any, started_s: float) -> tuple[str, Mapping[str, Any], float | None]:
    """Text, metadata (it comes on the last chunk) and the time to the first piece of text."""
    text, ttft_ms = "", None
    metadata: Mapping[str, Any] = {}
    for chunk in chunks:
        piece = (chunk.choices[0].delta.content or "") if chunk.choices else ""
        if piece and ttft_ms is None:
            ttft_ms = _since_ms(started_s)
        text += piece
        metadata = (chunk.model_extra or {}).get("pointsman_metadata") or metadata
    return text, metadata, ttft_ms


def _profile(metadata: Mapping[str, Any]) -> str:
    axes = metadata.get("task_profile") or {}
    complexity, domain, structure, latency = (str((axes.get(axis) or {}).get("label", "?")) for axis in AXES)
    return f"{complexity}\n{domain}, {structure}\n{latency}"


def _message(error: openai.APIStatusError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    return str(body.get("message") or error)


def _since_ms(started_s: float) -> float:
    return (time.perf_counter() - started_s) * 1e3


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)
