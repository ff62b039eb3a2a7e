"""Whatever a model says and a provider sends: no verifier raises, and every value lies in [0, 1]."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.signals import VERIFIERS, Answer

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
LABELS = st.sampled_from(["python", "js", "ts", "tsx", "rust", "go", "c", "sql", "json", ""])
TEXT = st.one_of(
    st.text(max_size=400),
    st.builds("```{}\n{}\n```\n{}".format, LABELS, st.text(max_size=200), st.text(max_size=40)),
    st.builds(lambda unit, n: unit * n, st.text(min_size=1, max_size=6), st.integers(1, 400)),
)
STRUCTURES = st.sampled_from(["text", "json", "sql", "code", "label"])
CALLS = st.lists(
    st.fixed_dictionaries(
        {"function": st.fixed_dictionaries({"name": st.just("f"), "arguments": TEXT | JSON})}
    ),
    max_size=2,
)


def look(answer):
    for verifier in VERIFIERS:
        signal = verifier.run(answer)
        if signal is not None:
            assert 0.0 <= signal.value <= 1.0, (verifier.name, signal)
            assert math.isfinite(signal.value)
            assert signal.name == verifier.name


@settings(max_examples=120, deadline=None)
@given(text=TEXT, structure=STRUCTURES, schema=JSON, calls=CALLS, question=st.text(max_size=200))
def test_any_text(text, structure, schema, calls, question):
    message = {"content": text, **({"tool_calls": calls} if calls else {})}
    asked = {
        "messages": [{"role": "user", "content": question}],
        "response_format": {"type": "json_schema", "json_schema": {"schema": schema}},
        "tools": [{"function": {"name": "f", "parameters": schema}}],
    }
    look(Answer({"choices": [{"message": message, "finish_reason": "stop"}]}, asked, structure))


@settings(max_examples=100, deadline=None)
@given(body=st.dictionaries(st.sampled_from(["choices", "x"]), JSON), asked=JSON, message=JSON, choice=JSON)
def test_any_shape(body, asked, message, choice):
    asked = (
        asked if isinstance(asked, dict) else {"messages": asked, "tools": asked, "response_format": asked}
    )
    look(Answer(body, asked))
    look(Answer({"choices": [choice]}, asked))
    look(
        Answer(
            {"choices": [{"message": message, "logprobs": message, "finish_reason": message}]}, asked, "code"
        )
    )
    inside = {"content": message, "tool_calls": message, "refusal": message}
    look(Answer({"choices": [{"message": inside, "logprobs": {"content": message}}]}, asked, "json"))
