"""Servers that know OpenAI's words only get only those."""

import orjson
import pytest

from pointsman.config import parse_config
from pointsman.errors import RequestError
from pointsman.protocols.messages_requests import chat_of_messages
from pointsman.protocols.plain import may_have_extensions, plain_chat
from pointsman.registry import registry_from_config
from tests.protocols.anthropic_shapes import REQUESTS

KNOWN = {"role", "content", "tool_calls", "tool_call_id"}


@pytest.mark.parametrize("name", ["tool loop", "prompt caching", "images and a document"])
def test_what_came_from_anthropic_is_said_in_openais_words(name):
    chat = chat_of_messages(REQUESTS[name])
    assert may_have_extensions(orjson.dumps(chat))
    plain = plain_chat(chat)
    assert not may_have_extensions(orjson.dumps(plain))
    assert all(message.keys() <= KNOWN for message in plain["messages"])
    assert all(tool.keys() == {"type", "function"} for tool in plain.get("tools", []))
    assert [message["role"] for message in plain["messages"]] == [each["role"] for each in chat["messages"]]


def test_a_text_about_them_is_no_extension():
    text = 'set "cache_control" and "thinking" and "top_k"'
    assert not may_have_extensions(orjson.dumps({"messages": [{"role": "user", "content": text}]}))


@pytest.mark.parametrize(
    ("thinking", "effort"),
    [
        ({"type": "enabled", "budget_tokens": 1024}, "low"),
        ({"type": "enabled", "budget_tokens": 8000}, "medium"),
        ({"type": "enabled", "budget_tokens": 32000}, "high"),
        ({"type": "adaptive"}, None),
        ({"type": "disabled"}, None),
    ],
)
def test_a_budget_of_thinking_is_an_effort(thinking, effort):
    plain = plain_chat({"messages": [], "thinking": thinking})
    assert plain.get("reasoning_effort") == effort
    assert "thinking" not in plain


def test_what_would_change_the_answer_is_refused():
    with pytest.raises(RequestError, match="top_k"):
        plain_chat({"messages": [], "top_k": 40})


@pytest.mark.parametrize(
    ("provider", "takes"),
    [
        ({}, False),
        ({"extensions": True}, True),
        ({"base_url": "http://127.0.0.1:1/v1"}, True),
        ({"base_url": "http://127.0.0.1:1/v1", "extensions": False}, False),
        ({"base_url": "https://api.mistral.ai/v1"}, False),
        ({"base_url": "https://api.deepseek.com/v1"}, True),
    ],
)
def test_hosted_openai_servers_are_plain_unless_configured(provider, takes):
    document = {
        "providers": {"openai": provider},
        "models": {"gpt-4.1-mini": {}},
        "deployments": [{"model": "gpt-4.1-mini", "provider": "openai"}],
    }
    registry = registry_from_config(parse_config(document, source="test"))
    assert registry.providers[0].extensions is takes
