"""The stock `anthropic` and `openai` clients, in their own protocols, against the gateway in front of a real model."""

import json
import sys

import pytest

from .conftest import run_client

pytestmark = pytest.mark.real
ASK = "What is the capital of France? Answer in one word."

MESSAGES = f"""
import json, os
from anthropic import Anthropic
client = Anthropic(base_url=os.environ["OPENAI_BASE_URL"].removesuffix("/v1"), api_key="unused")
ask = dict(model="smollm2", max_tokens=20, messages=[{{"role": "user", "content": {ASK!r}}}])
whole = client.messages.create(**ask)
with client.messages.stream(**ask) as stream:
    text = "".join(stream.text_stream)
    streamed = stream.get_final_message()
short = client.messages.create(**(ask | {{"max_tokens": 1}}))
print(json.dumps({{"whole": whole.content[0].text, "streamed": text, "stop": streamed.stop_reason,
                  "n": [whole.usage.output_tokens, streamed.usage.output_tokens],
                  "n_input": streamed.usage.input_tokens, "cut": short.stop_reason,
                  "n_counted": client.messages.count_tokens(model="smollm2", messages=ask["messages"]).input_tokens}}))
"""
RESPONSES = f"""
import json
from openai import OpenAI
client = OpenAI()
ask = dict(model="smollm2", max_output_tokens=20, temperature=0, input={ASK!r})
whole = client.responses.create(**ask)
with client.responses.stream(**ask) as stream:
    text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
    streamed = stream.get_final_response()
print(json.dumps({{"whole": whole.output_text, "streamed": text, "status": streamed.status,
                  "n": [whole.usage.output_tokens, streamed.usage.output_tokens]}}))
"""


def test_anthropics_client_talks_to_a_real_model(real_gateway):
    pytest.importorskip("anthropic", reason="pip install -r requirements-dev.txt")
    said = json.loads(run_client(sys.executable, MESSAGES, real_gateway))
    assert said["whole"].strip()
    assert said["streamed"].strip()
    assert said["stop"] in ("end_turn", "max_tokens")
    assert said["cut"] == "max_tokens"
    assert all(0 < n <= 20 for n in said["n"])
    # Those that the server had in its prompt cache are counted apart.
    assert said["n_input"] >= 1
    assert said["n_counted"] > 5


def test_openais_client_talks_responses_to_a_real_model(real_gateway, client_python):
    said = json.loads(run_client(client_python, RESPONSES, real_gateway))
    assert said["whole"].strip()
    assert said["streamed"].strip()
    assert said["status"] in ("completed", "incomplete")
    assert all(0 < n <= 20 for n in said["n"])
