"""LangChain's `ChatOpenAI`: `langchain_openai_chat.py EXERCISE` prints one JSON object."""

import json
import os
import sys

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

model = ChatOpenAI(model="auto", base_url=os.environ["GATEWAY"] + "/v1", api_key="none", max_retries=0)


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return '{"celsius": 4}'


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def chat():
    answer = model.invoke("Say hello.")
    return {"text": answer.text, "n_output_tokens": answer.usage_metadata["output_tokens"]}


def stream():
    pieces, whole = [], None
    for chunk in model.stream("Say hello.", stream_usage=True):
        whole = chunk if whole is None else whole + chunk
        pieces += [chunk.text] if chunk.text else []
    n_output = whole.usage_metadata["output_tokens"]
    return {"text": "".join(pieces), "n_pieces": len(pieces), "n_output_tokens": n_output}


def tools():
    messages = [HumanMessage("What is the weather in Oslo?")]
    asked = model.bind_tools([get_weather]).invoke(messages)
    call = asked.tool_calls[0]
    messages += [asked, ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"])]
    final = model.bind_tools([get_weather]).invoke(messages)
    return {"name": call["name"], "arguments": call["args"], "text": final.text}


def stream_tools():
    whole = None
    for chunk in model.bind_tools([get_weather]).stream("What is the weather in Oslo?"):
        whole = chunk if whole is None else whole + chunk
    call = whole.tool_calls[0]
    return {"name": call["name"], "arguments": call["args"], "text": "tool_calls"}


def structured():
    return (
        model.with_structured_output(Person)
        .invoke("Extract the name and age of Ann, who is 34.")
        .model_dump()
    )


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
