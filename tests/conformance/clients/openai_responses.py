"""The `openai` package over responses: `openai_responses.py EXERCISE` prints one JSON object."""

import json
import os
import sys

import openai
from pydantic import BaseModel

client = openai.OpenAI(base_url=os.environ["GATEWAY"] + "/v1", api_key="none", max_retries=0)
TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


class Person(BaseModel):
    name: str
    age: int


def chat():
    answer = client.responses.create(model="auto", input="Say hello.")
    return {"text": answer.output_text, "n_output_tokens": answer.usage.output_tokens}


def stream():
    pieces = []
    with client.responses.stream(model="auto", input="Say hello.") as events:
        pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
        final = events.get_final_response()
    assert final.output_text == "".join(pieces)
    return {
        "text": "".join(pieces),
        "n_pieces": len(pieces),
        "n_output_tokens": final.usage.output_tokens,
    }


def tools():
    history = [{"role": "user", "content": "What is the weather in Oslo?"}]
    asked = client.responses.create(model="auto", input=history, tools=[TOOL])
    call = next(item for item in asked.output if item.type == "function_call")
    history += [item.model_dump(exclude_none=True) for item in asked.output]
    history += [{"type": "function_call_output", "call_id": call.call_id, "output": '{"celsius": 4}'}]
    final = client.responses.create(model="auto", input=history, tools=[TOOL])
    return {"name": call.name, "arguments": json.loads(call.arguments), "text": final.output_text}


def stream_tools():
    with client.responses.stream(model="auto", input="What is the weather in Oslo?", tools=[TOOL]) as events:
        done = [event for event in events if event.type == "response.function_call_arguments.done"]
        final = events.get_final_response()
    call = next(item for item in final.output if item.type == "function_call")
    return {"name": call.name, "arguments": json.loads(done[0].arguments), "text": final.status}


def structured():
    answer = client.responses.parse(
        model="auto", input="Extract the name and age of Ann, who is 34.", text_format=Person
    )
    return answer.output_parsed.model_dump()


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
