"""The stock `openai` client reads kept answers as it reads live ones; the answers are a real model's."""

import json

import pytest

from .conftest import run_client

pytestmark = pytest.mark.real

SCRIPT = """
import json
from openai import OpenAI
client = OpenAI()
MESSAGES = [{"role": "user", "content": "What is the capital of France? Answer in one word."}]
CACHE = {"pointsman": {"cache": {"mode": "read-write", "scope": %r}}}
ASK = dict(model="smollm2", messages=MESSAGES, max_tokens=40, temperature=0, extra_body=CACHE)

def whole():
    raw = client.chat.completions.with_raw_response.create(**ASK)
    answer = raw.parse()
    return {"cache": raw.headers["x-pointsman-cache"], "text": answer.choices[0].message.content, "id": answer.id,
            "finish": answer.choices[0].finish_reason, "n": answer.usage.completion_tokens}

def streamed():
    raw = client.chat.completions.with_raw_response.create(stream=True, stream_options={"include_usage": True}, **ASK)
    said = {"cache": raw.headers["x-pointsman-cache"], "text": "", "finish": None, "n": None, "id": None}
    for chunk in raw.parse():
        said["id"] = chunk.id
        said["n"] = chunk.usage.completion_tokens if chunk.usage else said["n"]
        for choice in chunk.choices:
            said["text"] += choice.delta.content or ""
            said["finish"] = choice.finish_reason or said["finish"]
    return said

print(json.dumps([%s]))
"""


@pytest.mark.parametrize("order", ["whole(), whole(), streamed()", "streamed(), streamed(), whole()"])
def test_kept_answers_are_read_as_live_ones(real_gateway, client_python, order):
    script = SCRIPT % (f"{order} {client_python}"[-200:], order)
    live, *kept = json.loads(run_client(client_python, script, real_gateway))
    assert live["cache"] == "miss"
    assert "Paris" in live["text"]
    for answer in kept:
        assert answer["cache"] == "exact"
        assert [answer[name] for name in ("text", "finish", "n")] == [
            live[name] for name in ("text", "finish", "n")
        ]
        assert answer["id"] != live["id"]
