"""Pydantic AI agents over chat completions: `pydantic_ai_chat.py EXERCISE` prints one JSON object."""

import asyncio
import json
import os
import sys

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(base_url=os.environ["GATEWAY"] + "/v1", api_key="none")
model = OpenAIChatModel("auto", provider=provider)


class Person(BaseModel):
    name: str
    age: int


def agent_with_tool(seen):
    agent = Agent(model)

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """The weather of a city."""
        seen.append({"name": "get_weather", "arguments": {"city": city}})
        return '{"celsius": 4}'

    return agent


def chat():
    answer = Agent(model).run_sync("Say hello.")
    usage = answer.usage() if callable(answer.usage) else answer.usage
    return {"text": answer.output, "n_output_tokens": usage.output_tokens}


def stream():
    async def read():
        async with Agent(model).run_stream("Say hello.") as result:
            pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
            usage = result.usage() if callable(result.usage) else result.usage
            return pieces, usage.output_tokens

    pieces, n_output = asyncio.run(read())
    return {"text": "".join(pieces), "n_pieces": len(pieces), "n_output_tokens": n_output}


def tools():
    seen = []
    final = agent_with_tool(seen).run_sync("What is the weather in Oslo?")
    return {**seen[0], "text": final.output}


def stream_tools():
    seen = []

    async def read():
        async with agent_with_tool(seen).run_stream("What is the weather in Oslo?") as result:
            return await result.get_output()

    return {"text": asyncio.run(read()), **seen[0]}


def structured():
    agent = Agent(model, output_type=NativeOutput(Person))
    return agent.run_sync("Extract the name and age of Ann, who is 34.").output.model_dump()


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
