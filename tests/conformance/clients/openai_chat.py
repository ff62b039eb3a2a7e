"""The `openai` package over chat completions: `openai_chat.py EXERCISE` prints one JSON object."""

import json
import os
import sys

import openai
from pydantic import BaseModel

client = openai.OpenAI(base_url=os.environ["GATEWAY"] + "/v1", api_key="none", max_retries=0)
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}


class Person(BaseModel):
    name: str
    age: int


def user(text):
    return [{"role": "user", "content": text}]


def chat():
    answer = client.chat.completions.create(model="auto", messages=user("Say hello."))
    return {"text": answer.choices[0].message.content, "n_output_tokens": answer.usage.completion_tokens}


def stream():
    pieces, usage = [], None
    for chunk in client.chat.completions.create(
        model="auto", messages=user("Say hello."), stream=True, stream_options={"include_usage": True}
    ):
        usage = chunk.usage or usage
        pieces += [choice.delta.content for choice in chunk.choices if choice.delta.content]
    return {"text": "".join(pieces), "n_pieces": len(pieces), "n_output_tokens": usage.completion_tokens}


def tools():
    messages = user("What is the weather in Oslo?")
    asked = client.chat.completions.create(model="auto", messages=messages, tools=[TOOL]).choices[0].message
    call = asked.tool_calls[0]
    messages += [asked.model_dump(exclude_none=True)]
    messages += [{"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 4}'}]
    final = client.chat.completions.create(model="auto", messages=messages, tools=[TOOL]).choices[0]
    arguments = json.loads(call.function.arguments)
    return {"name": call.function.name, "arguments": arguments, "text": final.message.content}


def stream_tools():
    name, arguments = "", ""
    with client.chat.completions.stream(
        model="auto", messages=user("What is the weather in Oslo?"), tools=[TOOL]
    ) as events:
        for event in events:
            if event.type == "tool_calls.function.arguments.done":
                name, arguments = event.name, event.arguments
        final = events.get_final_completion().choices[0]
    return {"name": name, "arguments": json.loads(arguments), "text": final.finish_reason}


def structured():
    answer = client.chat.completions.parse(
        model="auto", messages=user("Extract the name and age of Ann, who is 34."), response_format=Person
    )
    return answer.choices[0].message.parsed.model_dump()


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
