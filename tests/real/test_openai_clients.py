"""The stock `openai` client, newest and 2.x, against the gateway in front of a real model."""

import json

import pytest

from .conftest import run_client

pytestmark = pytest.mark.real

HEAD = """
import json
from openai import OpenAI
client = OpenAI()
USER = lambda text: [{"role": "user", "content": text}]
"""


def test_chat(real_gateway, client_python):
    script = (
        HEAD
        + """
raw = client.chat.completions.with_raw_response.create(
    model="auto", messages=USER("What is the capital of France? Answer in one word."), max_tokens=20, temperature=0)
answer = raw.parse()
print(json.dumps({"text": answer.choices[0].message.content, "model": answer.model,
                  "header": raw.headers["x-pointsman-model"], "n": answer.usage.completion_tokens}))
"""
    )
    answer = json.loads(run_client(client_python, script, real_gateway))
    assert "Paris" in answer["text"]
    assert answer["model"] == answer["header"] == "smollm2"
    assert answer["n"] > 0


def test_stream_with_usage(real_gateway, client_python):
    script = (
        HEAD
        + """
text, usage, finish = "", None, None
for chunk in client.chat.completions.create(model="auto", messages=USER("Say hello."), max_tokens=16, temperature=0,
                                            stream=True, stream_options={"include_usage": True}):
    usage = chunk.usage or usage
    for choice in chunk.choices:
        text += choice.delta.content or ""
        finish = choice.finish_reason or finish
print(json.dumps({"text": text, "n": usage.completion_tokens, "finish": finish}))
"""
    )
    answer = json.loads(run_client(client_python, script, real_gateway))
    assert answer["text"]
    assert answer["n"] > 0
    assert answer["finish"] in ("stop", "length")


def test_tools(real_gateway, client_python):
    script = (
        HEAD
        + """
tool = {"type": "function", "function": {"name": "get_weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}
ask = dict(messages=USER("What is the weather in Oslo?"), tools=[tool], tool_choice="required", max_tokens=60)
call = client.chat.completions.create(model="tool-caller", **ask).choices[0].message.tool_calls[0].function
name, arguments = "", ""
for chunk in client.chat.completions.create(model="tool-caller", stream=True, **ask):
    for part in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
        name += part.function.name or ""
        arguments += part.function.arguments or ""
real = client.chat.completions.create(model="smollm2", **ask).choices[0]
print(json.dumps({"name": call.name, "arguments": json.loads(call.arguments), "streamed": [name, json.loads(arguments)],
                  "real": bool(real.message.content or real.message.tool_calls)}))
"""
    )
    call = json.loads(run_client(client_python, script, real_gateway))
    assert call["name"] == "get_weather"
    assert isinstance(call["arguments"]["city"], str)
    assert call["streamed"] == [call["name"], call["arguments"]]
    assert call["real"]


def test_json_schema(real_gateway, client_python):
    script = (
        HEAD
        + """
schema = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
          "required": ["name", "age"], "additionalProperties": False}
answer = client.chat.completions.create(
    model="auto", messages=USER("Ann is 34 years old. Extract name and age."), max_tokens=60, temperature=0,
    response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}},
    extra_body={"pointsman": {"explain": True}})
print(json.dumps({"person": json.loads(answer.choices[0].message.content),
                  "structure": answer.pointsman_metadata["task_profile"]["structure"]["label"]}))
"""
    )
    answer = json.loads(run_client(client_python, script, real_gateway))
    assert set(answer["person"]) == {"name", "age"}
    assert isinstance(answer["person"]["age"], int)
    assert answer["structure"] == "json"
