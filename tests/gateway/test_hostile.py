"""Requests that are valid JSON and unreasonable: answered or refused in words, never a 500."""

import httpx
import orjson
import pytest

from .conftest import scripted_gateway


def user(content):
    return {"model": "auto:cheap", "messages": [{"role": "user", "content": content}]}


def nested(depth):
    """As raw JSON, because orjson reads 1,024 levels and writes only 254."""
    return orjson.Fragment(b'{"a":' * depth + b"1" + b"}" * depth)


HOSTILE = {
    "10 MB prompt": (user("word " * 2_100_000), {422}),  # more tokens than any context window here
    "10 MB in parts": (user([{"type": "text", "text": "x" * 100_000}] * 100), {422}),
    "10 MB without a space": (user("a" * 10_000_000), {422}),
    "NUL bytes": (user("a\x00b\x00"), {200}),
    "only white space": (user(" \n\t "), {200}),
    "empty text": (user(""), {200}),
    "no parts": (user([]), {200}),
    "control characters": (user("".join(map(chr, range(32)))), {200}),
    "unpaired direction marks and emoji": (user("\u202e\u2066👩‍👩‍👧‍👦\ufeff"), {200}),
    "highest code point": (user("\U0010ffff" * 100), {200}),
    "null content": (
        {
            "model": "auto:cheap",
            "messages": [{"role": "assistant", "content": None}, *user("hi")["messages"]],
        },
        {200},
    ),
    "10,000 messages": ({"model": "auto:cheap", "messages": user("hi")["messages"] * 10_000}, {200, 422}),
    "tools nested 500 deep": (user("hi") | {"tools": [{"type": "function", "function": nested(500)}]}, {200}),
    "unknown field nested 500 deep": (user("hi") | {"unknown": nested(500)}, {200}),
    "role of a megabyte": (
        {"model": "auto", "messages": [{"role": "x" * 1_000_000, "content": "hi"}]},
        {400},
    ),
    "model of a megabyte": (user("hi") | {"model": "x" * 1_000_000}, {404}),
    "field name of a megabyte": (user("hi") | {"pointsman": {"x" * 1_000_000: 1}}, {400}),
    "huge number": (user("hi") | {"max_tokens": 2**63}, {400}),
    "many allowed models": (user("hi") | {"models": ["nano"] * 10_000}, {200}),
}


@pytest.fixture(scope="module")
def gateway():
    with scripted_gateway({}, max_body_mb=32) as served:
        yield served


@pytest.mark.parametrize("name", HOSTILE)
def test_unreasonable_request_is_answered_in_words(gateway, name):
    body, statuses = HOSTILE[name]
    answer = httpx.post(gateway.url + "/v1/chat/completions", content=orjson.dumps(body), timeout=30)
    assert answer.status_code in statuses, answer.text[:500]
    assert "Traceback" not in answer.text
    assert len(answer.content) < 20_000  # an error does not echo a megabyte
