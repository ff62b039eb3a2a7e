"""The `anthropic` package: `anthropic_messages.py EXERCISE` prints one JSON object."""

import json
import os
import sys

import anthropic
from pydantic import BaseModel

client = anthropic.Anthropic(base_url=os.environ["GATEWAY"], api_key="none", max_retries=0)
TOOL = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
ASK = {"model": "auto", "max_tokens": 500}


class Person(BaseModel):
    name: str
    age: int


def user(text):
    return [{"role": "user", "content": text}]


def chat():
    answer = client.messages.create(**ASK, messages=user("Say hello."))
    return {"text": answer.content[0].text, "n_output_tokens": answer.usage.output_tokens}


def stream():
    with client.messages.stream(**ASK, messages=user("Say hello.")) as events:
        pieces = list(events.text_stream)
        final = events.get_final_message()
    assert final.content[0].text == "".join(pieces)
    return {
        "text": "".join(pieces),
        "n_pieces": len(pieces),
        "n_output_tokens": final.usage.output_tokens,
    }


def tools():
    messages = user("What is the weather in Oslo?")
    asked = client.messages.create(**ASK, messages=messages, tools=[TOOL])
    call = next(block for block in asked.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": '{"celsius": 4}'}
    messages += [{"role": "assistant", "content": asked.content}, {"role": "user", "content": [result]}]
    final = client.messages.create(**ASK, messages=messages, tools=[TOOL])
    assert asked.stop_reason == "tool_use"
    return {"name": call.name, "arguments": call.input, "text": final.content[0].text}


def stream_tools():
    with client.messages.stream(**ASK, messages=user("What is the weather in Oslo?"), tools=[TOOL]) as events:
        final = events.get_final_message()
    call = next(block for block in final.content if block.type == "tool_use")
    return {"name": call.name, "arguments": call.input, "text": final.stop_reason}


def structured():
    answer = client.messages.parse(
        **ASK, messages=user("Extract the name and age of Ann, who is 34."), output_format=Person
    )
    return answer.parsed_output.model_dump()


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
