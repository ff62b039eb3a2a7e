"""The simulated providers, as the stock openai client sees them over the loopback."""

from __future__ import annotations

import json
import subprocess

import openai
import pytest

from pointsman.cli.demo.processes import simulate_command
from pointsman.simulate.answers import answer, check_counted, counted, fill, pieces

MODEL = "frontier-reasoning-1"
SCRIPT = {
    "providers": {"simulated-d": {"models": [MODEL], "latency": {"ttft_p50_ms": 20, "tokens_per_s": 5000}}}
}
USER = [{"role": "user", "content": "Summarise the clause about liability."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
            "required": ["city"],
        },
    },
}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    script = tmp_path_factory.mktemp("simulated") / "script.yaml"
    script.write_text(json.dumps(SCRIPT))
    with subprocess.Popen(simulate_command(script), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        urls = json.loads(process.stdout.readline())["providers"]
        with openai.OpenAI(base_url=urls["simulated-d"], api_key="none", max_retries=0) as client:
            yield client
        process.stdin.close()  # the server's sign that its parent is gone
        assert process.wait(timeout=10) == 0


def test_models_are_listed(client):
    assert [model.id for model in client.models.list()] == [MODEL]


def test_answer_says_it_is_simulated_and_reports_usage(client):
    completion = client.chat.completions.create(model=MODEL, messages=USER)
    assert completion.system_fingerprint == "simulated"
    assert completion.choices[0].message.content.startswith(f"[simulated answer of {MODEL}]")
    assert completion.usage.completion_tokens == len(pieces(completion.choices[0].message.content))


def test_stream_carries_the_same_text_as_the_whole_answer(client):
    whole = client.chat.completions.create(model=MODEL, messages=USER)
    options = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(model=MODEL, messages=USER, stream=True, stream_options=options)
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage
    assert chunks[-2].choices[0].finish_reason == "stop"


def test_stream_without_include_usage_has_no_usage_chunk(client):
    chunks = list(client.chat.completions.create(model=MODEL, messages=USER, stream=True))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_answered_with_a_call(client, stream):
    messages = [{"role": "user", "content": "What is the weather in Lisbon, in C?"}]
    reply = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER], stream=stream)
    if stream:
        calls = [chunk.choices[0].delta.tool_calls for chunk in reply]
        name = calls[0][0].function.name
        arguments = "".join(call[0].function.arguments for call in calls if call)
    else:
        assert reply.choices[0].finish_reason == "tool_calls"
        function = reply.choices[0].message.tool_calls[0].function
        name, arguments = function.name, function.arguments
    assert name == "get_weather"
    assert json.loads(arguments) == {"city": "Lisbon", "unit": "C"}


def test_max_tokens_cuts_the_answer(client):
    completion = client.chat.completions.create(model=MODEL, messages=USER, max_tokens=3)
    assert (completion.choices[0].finish_reason, completion.usage.completion_tokens) == ("length", 3)


def test_json_schema_gives_valid_json_that_is_labelled(client):
    schema = {
        "type": "object",
        "properties": {
            "vendor": {"type": "string"},
            "date": {"type": "string", "format": "date"},
            "total": {"type": "number"},
            "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
        },
        "$defs": {"line": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}},
    }
    completion = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Invoice of 2026-03-02, 3 lines, total: EUR 1,129.50"}],
        response_format={"type": "json_schema", "json_schema": {"name": "invoice", "schema": schema}},
    )
    assert json.loads(completion.choices[0].message.content) == {
        "vendor": f"[simulated answer of {MODEL}]",
        "date": "2026-03-02",
        "total": 1129.5,
        "lines": [{"n": 3}],
    }


def test_unknown_model_is_refused(client):
    with pytest.raises(openai.NotFoundError, match="no model 'nope'"):
        client.chat.completions.create(model="nope", messages=USER)


@pytest.mark.parametrize(
    ("prompt", "mark"),
    [("Write a Python function", "```python"), ("Write a SQL query", "```sql"), ("Good? Yes or no", "yes")],
)
def test_answer_has_the_shape_the_prompt_asks_for(prompt, mark):
    assert mark in answer({"messages": [{"role": "user", "content": prompt}]}, "m").text


@pytest.mark.parametrize("text", ["", " ", "a", "a  b\n", "\n a"])
def test_pieces_lose_nothing(text):
    assert "".join(pieces(text)) == text


def test_fill_takes_the_option_the_prompt_mentions():
    assert fill({"enum": ["refund", "complaint"]}, "This is a complaint.") == "complaint"


def test_counted_answer_is_found_whole():
    check_counted(counted(40, key=3).text)
    assert counted(40, key=3).text != counted(40, key=4).text


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda said: said[:-1], "cut"),
        (lambda said: said[:5] + said[6:], "token 6 stands where token 5 should be"),
        (lambda said: said[:5] + said[4:], "token 4 stands where token 5 should be"),
        (lambda said: [*said[:5], said[5].replace(":", ":f"), *said[6:]], "does not fit"),
        (lambda said: said[:-2] + said[-1:], "does not fit"),
    ],
)
def test_harmed_counted_answer_is_found_out(harm, says):
    with pytest.raises(ValueError, match=says):
        check_counted("".join(harm(list(counted(20, key=1).pieces))))
