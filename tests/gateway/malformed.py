"""Malformed requests, and what the gateway must say of each: a table, read by test_malformed.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

USER = [{"role": "user", "content": "hello"}]


@dataclass(frozen=True)
class Malformed:
    name: str
    body: Any = None
    """Sent as JSON, or as it is where it is bytes."""
    status: int = 400
    code: str = "caller_invalid_request"
    says: tuple[str, ...] = ()
    """Fragments of the message: what was wrong, the value seen, the remedy."""
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"
    path: str = "/v1/chat/completions"


def chat(**changes: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": USER} | changes


def block(**fields: Any) -> dict[str, Any]:
    return chat(pointsman=fields)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in chat().items() if key != name}


BAD_JSON = "caller_invalid_json"

MALFORMED = [
    Malformed("empty body", b"", code=BAD_JSON, says=("not valid JSON", "empty", "send a JSON object")),
    Malformed("not JSON", b"model=auto", code=BAD_JSON, says=("line 1 column 1",)),
    Malformed("cut off JSON", b'{"model": "auto", "mess', code=BAD_JSON, says=("not valid JSON",)),
    Malformed(
        "NaN literal", b'{"model": "auto", "temperature": NaN}', code=BAD_JSON, says=("not valid JSON",)
    ),
    Malformed("not UTF-8", b'{"model": "\xff\xfe"}', code=BAD_JSON, says=("not valid JSON",)),
    Malformed(
        "lone surrogate",
        b'{"model": "auto", "messages": [{"role": "user", "content": "\\ud800"}]}',
        code=BAD_JSON,
        says=("surrogate",),
    ),
    Malformed("nested too deep", b"[" * 5000 + b"]" * 5000, code=BAD_JSON, says=("not valid JSON",)),
    Malformed("a list", [chat()], says=("must be a JSON object", "a list")),
    Malformed("a string", "hello", says=("must be a JSON object",)),
    Malformed("null", b"null", says=("must be a JSON object", "nothing")),
    Malformed(
        "no model", without("model"), says=("model must be a string", '"auto"', "nothing"), param="model"
    ),
    Malformed("model is a number", chat(model=4), says=("model must be a string", "4"), param="model"),
    Malformed("model is empty", chat(model=""), says=("model must be a string",), param="model"),
    Malformed(
        "unknown model",
        chat(model="frontire"),
        404,
        "caller_model_not_found",
        ("frontire", "frontier"),
        param="model",
    ),
    Malformed(
        "unknown policy", chat(model="auto:chaep"), 404, "policy_not_found", ("chaep", "cheap"), param="model"
    ),
    Malformed(
        "no messages", without("messages"), says=("messages must be a list", "nothing"), param="messages"
    ),
    Malformed(
        "zero messages", chat(messages=[]), says=("messages is empty", "at least one"), param="messages"
    ),
    Malformed(
        "messages is a string",
        chat(messages="hi"),
        says=("must be a list", "a string of 2 characters"),
        param="messages",
    ),
    Malformed("message is a string", chat(messages=["hi"]), says=("messages[0]",), param="messages[0]"),
    Malformed(
        "message without role",
        chat(messages=[{"content": "hi"}]),
        says=("messages[0].role",),
        param="messages[0].role",
    ),
    Malformed(
        "unknown role",
        chat(messages=[*USER, {"role": "robot", "content": "hi"}]),
        says=("messages[1].role", "robot", "user"),
        param="messages[1].role",
    ),
    Malformed(
        "content is a number",
        chat(messages=[{"role": "user", "content": 7}]),
        says=("messages[0].content",),
        param="messages[0].content",
    ),
    Malformed(
        "part is a string",
        chat(messages=[{"role": "user", "content": ["hi"]}]),
        says=("messages[0].content[0]",),
        param="messages[0].content[0]",
    ),
    Malformed(
        "stream is a string",
        chat(stream="yes"),
        says=("stream must be true or false", "'yes'"),
        param="stream",
    ),
    Malformed("max_tokens is negative", chat(max_tokens=-1), says=("integer >= 0", "-1"), param="max_tokens"),
    Malformed("max_tokens is half", chat(max_tokens=1.5), says=("integer >= 0", "1.5"), param="max_tokens"),
    Malformed("n is zero", chat(n=0), says=("n must be an integer >= 1", "0"), param="n"),
    Malformed(
        "tools is an object", chat(tools={}), says=("tools must be a list", "an object"), param="tools"
    ),
    Malformed(
        "tool is a number", chat(tools=[1]), says=("tools[0] must be an object", "1"), param="tools[0]"
    ),
    Malformed(
        "response_format is a string",
        chat(response_format="json"),
        says=("response_format must be an object", "'json'"),
        param="response_format",
    ),
    Malformed(
        "service_tier is a number", chat(service_tier=1), says=("service_tier", "1"), param="service_tier"
    ),
    Malformed(
        "service_tier is unknown", chat(service_tier="slow"), says=("flex", "'slow'"), param="service_tier"
    ),
    Malformed(
        "unknown provider",
        chat(provider={"only": ["delta"]}),
        code="caller_unknown_name",
        says=("delta",),
        param="provider.only",
    ),
    Malformed(
        "a web page of another site",
        chat(),
        403,
        "caller_foreign_origin",
        ("https://evil.example", "from a program"),
        headers={"origin": "https://evil.example", "content-type": "text/plain"},
    ),
    Malformed(
        "compressed body",
        b"\x1f\x8b",
        415,
        "caller_unsupported_encoding",
        ("gzip", "uncompressed"),
        headers={"content-encoding": "gzip"},
    ),
    Malformed(
        "unknown model listed",
        None,
        404,
        "caller_model_not_found",
        ("nanoo", "nano"),
        "model",
        {},
        "GET",
        "/v1/models/nanoo",
    ),
    Malformed("models is an object", chat(models={}), says=("list of names",), param="models"),
    Malformed(
        "block is a list", chat(pointsman=[]), says=("pointsman must be an object",), param="pointsman"
    ),
    Malformed(
        "unknown block field",
        block(max_cost=1),
        says=("pointsman.max_cost", "did you mean max_cost_usd?"),
        param="pointsman.max_cost",
    ),
    Malformed(
        "negative cost", block(max_cost_usd=-1), says=("number >= 0", "-1"), param="pointsman.max_cost_usd"
    ),
    Malformed(
        "quality over 1", block(min_quality=90), says=("in [0, 1]", "90"), param="pointsman.min_quality"
    ),
    Malformed(
        "quality is true", block(min_quality=True), says=("[0, 1]", "true"), param="pointsman.min_quality"
    ),
    Malformed(
        "unknown strategy", block(strategy="fast"), says=("batch", "'fast'"), param="pointsman.strategy"
    ),
    Malformed(
        "strategy of a later version",
        block(strategy="batch"),
        code="policy_strategy_unavailable",
        says=("batch", "use auto or direct"),
        param="pointsman.strategy",
    ),
    Malformed(
        "deadline is a word", block(deadline="soon"), says=("24h", "'soon'"), param="pointsman.deadline"
    ),
    Malformed(
        "quality like an unknown model",
        block(quality_like="gpt-9"),
        400,
        "caller_unknown_name",
        ("gpt-9",),
        param="pointsman.quality_like",
    ),
    Malformed("tags is a number", block(tags=3), says=("list of names",), param="pointsman.tags"),
    Malformed(
        "cache mode", block(cache={"mode": "on"}), says=("read-write", "'on'"), param="pointsman.cache.mode"
    ),
    Malformed(
        "explain is a word", block(explain="please"), says=("true or false",), param="pointsman.explain"
    ),
    Malformed(
        "unknown provider field",
        chat(provider={"onyl": ["a"]}),
        says=("provider.onyl", "did you mean only?"),
        param="provider.onyl",
    ),
    Malformed(
        "provider sort", chat(provider={"sort": "cost"}), says=("price", "'cost'"), param="provider.sort"
    ),
    Malformed(
        "unknown header",
        chat(),
        says=("x-pointsman-max-cost", "did you mean x-pointsman-max-cost-usd?"),
        param="x-pointsman-max-cost",
        headers={"x-pointsman-max-cost": "1"},
    ),
    Malformed(
        "header is no number",
        chat(),
        says=("x-pointsman-min-quality", "'high'"),
        param="x-pointsman-min-quality",
        headers={"x-pointsman-min-quality": "high"},
    ),
    Malformed(
        "infeasible latency",
        block(max_latency_ms=1),
        422,
        "no_feasible_deployment",
        ("latency_sla", "max_latency_ms"),
    ),
    Malformed("infeasible cost", block(max_cost_usd=0), 422, "no_feasible_deployment", ("max_cost",)),
    Malformed("body too large", b" " * (2 << 20), 413, "caller_body_too_large", ("server.max_body_mb",)),
    Malformed(
        "wrong method", None, 405, "caller_unknown_endpoint", ("GET /v1/chat/completions",), method="GET"
    ),
    Malformed(
        "wrong path", chat(), 404, "caller_unknown_endpoint", ("/v1/chat/completions",), path="/v1/chat"
    ),
    Malformed(
        "infeasible route",
        block(min_quality=1),
        422,
        "no_feasible_deployment",
        ("quality",),
        path="/v1/route",
    ),
]
