"""LiteLLM as a client: `litellm_chat.py EXERCISE` prints one JSON object."""

import json
import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # no network

import litellm
from pydantic import BaseModel

ASK = {"model": "openai/auto", "api_base": os.environ["GATEWAY"] + "/v1", "api_key": "none", "num_retries": 0}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class Person(BaseModel):
    name: str
    age: int


def user(text):
    return [{"role": "user", "content": text}]


def chat():
    answer = litellm.completion(**ASK, messages=user("Say hello."))
    return {"text": answer.choices[0].message.content, "n_output_tokens": answer.usage.completion_tokens}


def stream():
    pieces, n_output = [], None
    options = {"include_usage": True}
    for chunk in litellm.completion(**ASK, messages=user("Say hello."), stream=True, stream_options=options):
        pieces += [choice.delta.content for choice in chunk.choices if choice.delta.content]
        usage = getattr(chunk, "usage", None)
        n_output = usage.completion_tokens if usage else n_output
    return {"text": "".join(pieces), "n_pieces": len(pieces), "n_output_tokens": n_output}


def tools():
    messages = user("What is the weather in Oslo?")
    asked = litellm.completion(**ASK, messages=messages, tools=[TOOL]).choices[0].message
    call = asked.tool_calls[0]
    messages += [asked.model_dump(exclude_none=True)]
    messages += [{"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 4}'}]
    final = litellm.completion(**ASK, messages=messages, tools=[TOOL]).choices[0].message
    return {
        "name": call.function.name,
        "arguments": json.loads(call.function.arguments),
        "text": final.content,
    }


def stream_tools():
    chunks = list(
        litellm.completion(**ASK, messages=user("What is the weather in Oslo?"), tools=[TOOL], stream=True)
    )
    call = litellm.stream_chunk_builder(chunks).choices[0].message.tool_calls[0].function
    return {"name": call.name, "arguments": json.loads(call.arguments), "text": "tool_calls"}


def structured():
    answer = litellm.completion(
        **ASK, messages=user("Extract the name and age of Ann, who is 34."), response_format=Person
    )
    return Person.model_validate_json(answer.choices[0].message.content).model_dump()


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
