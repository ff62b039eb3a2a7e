"""Empty, cut, looping, refusing, in another language; and the probability of tokens."""

import math
import time

import pytest

from pointsman.signals.language import language_matches, latin_language, script_of
from pointsman.signals.prose import empty, refusal, repetition, truncation
from pointsman.signals.token_probability import token_probability

from .conftest import answer

PROSE = (
    "The harbour of Oslo lies at the end of a fjord. Ships came here long before there was a town, because the "
    "water is deep and the hills keep the wind away. Today ferries leave for Denmark and Germany every evening. "
    "In winter, the ice is broken by hand."
)


@pytest.mark.parametrize(
    ("text", "message", "wanted"),
    [
        ("Oslo", None, 1.0),
        ("", None, 0.0),
        (" \n\t ", None, 0.0),
        (None, None, 0.0),
        (None, {"tool_calls": [{"function": {}}]}, 1.0),
        (None, {"refusal": "no"}, 1.0),
        ([{"type": "text", "text": "Oslo"}], None, 1.0),
    ],
)
def test_an_answer_without_anything_is_empty(text, message, wanted):
    assert empty(answer(text, message=message)).value == wanted


def test_a_cut_answer_is_told_by_its_finish_reason_unless_the_caller_set_the_limit():
    assert truncation(answer("Osl", finish_reason="length")).value == 0.0
    assert truncation(answer("Oslo")).value == 1.0
    assert truncation(answer("Osl", finish_reason="length", max_tokens=3)) is None
    assert truncation(answer("Oslo", finish_reason=None)) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("I\u2019m sorry, but I can\u2019t help with that.", 0.0),
        ("I cannot assist with this request.", 0.0),
        ("Es tut mir leid, ich kann dabei nicht helfen.", 0.0),
        ("Oslo. " + PROSE * 2 + " Some say: I cannot assist with that.", 1.0),
        ("You can't park there, but you can help with the boats.", 1.0),
    ],
)
def test_a_refusal_begins_an_answer(text, wanted):
    assert refusal(answer(text)).value == wanted


def test_a_refusal_that_is_marked_as_one_is_one():
    assert refusal(answer(None, message={"refusal": "No."})).value == 0.0
    assert refusal(answer("", finish_reason="content_filter")).value == 0.0


@pytest.mark.parametrize(
    "text",
    [
        PROSE + " and so on" * 60,
        PROSE + "\n- the same line again" * 30,
        "ha" * 400,
        "All work and no play makes Jack a dull boy.\n" * 12 + "The end.",
    ],
)
def test_a_loop_is_found(text):
    assert repetition(answer(text)).value < 0.5


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        PROSE + "\n" + "-" * 300,
        "\n".join(f"| {i} | {i * i} | a row of a table |" for i in range(60)),
        "\n".join(f"{i}. {PROSE[i : i + 40]}" for i in range(50)),
    ],
)
def test_what_is_no_loop_is_not_found(text):
    assert repetition(answer(text)).value == 1.0


def test_short_answers_do_not_loop():
    assert repetition(answer("no no no no")) is None


GERMAN = "Der Hafen von Oslo ist sehr tief und die Schiffe kommen von weit her, weil das Wasser ruhig ist."
ENGLISH_QUESTION = "Tell me about the harbour of the town, and for how long it has been there."


@pytest.mark.parametrize(
    ("question", "text", "wanted"),
    [
        (ENGLISH_QUESTION, PROSE, 1.0),
        (ENGLISH_QUESTION, GERMAN, 0.0),
        (ENGLISH_QUESTION, "Гавань Осло находится в конце фьорда, и вода там глубока.", 0.0),
        ("Расскажи, пожалуйста, какая здесь была гавань.", "Гавань Осло находится в конце фьорда.", 1.0),
        ("Расскажи, пожалуйста, какая здесь была гавань.", PROSE, 0.0),
        ("請告訴我這個城市的港口", "奧斯陸的港口位於峽灣的盡頭", 1.0),
        ("この町の港について教えてください", "奧斯陸的港口位於峽灣的盡頭水很深", 0.0),
    ],
)
def test_another_language_is_told(question, text, wanted):
    assert language_matches(answer(text, question=question)).value == wanted


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Translate this into German please, and keep the tone of it as it is.", GERMAN),
        (ENGLISH_QUESTION, "Oslo"),
        ("Oslo?", PROSE),
        (ENGLISH_QUESTION, "```python\nprint('Гавань Осло находится в конце фьорда')\n```"),
        (ENGLISH_QUESTION, "Satama on syvä ja laivat tulevat kaukaa, koska vesi pysyy tyynenä aina."),
    ],
)
def test_what_it_cannot_tell_it_leaves_alone(question, text):
    assert language_matches(answer(text, question=question)) is None


def test_scripts_and_languages():
    assert script_of("Ελληνικά γράμματα παντού εδώ") == "greek"
    assert script_of("123 456 !!!") is None
    assert latin_language("el puerto que está en la ciudad y los barcos son muy grandes") == "es"


def test_token_probability_is_the_geometric_mean():
    logprobs = {"content": [{"logprob": math.log(0.5)}, {"logprob": math.log(0.125)}]}
    signal = token_probability(answer("Oslo", logprobs=logprobs))
    assert signal.value == pytest.approx(0.25)
    assert signal.kind == "raw"


@pytest.mark.parametrize(
    "logprobs", [None, {"content": []}, {"content": [{"logprob": "x"}, {}, 3]}, 7, {"content": 3}]
)
def test_without_logprobs_there_is_no_probability(logprobs):
    assert token_probability(answer("Oslo", logprobs=logprobs)) is None


@pytest.mark.parametrize("unit", ["a", "ab", " ", "\n", "```\n", "a ", "the ", "é", "\u3042", "a\n", "-\n"])
def test_long_answers_are_quick(unit):
    long = answer(unit * (400_000 // len(unit)), question=unit * 10_000)
    start = time.perf_counter()
    for verifier in (empty, truncation, refusal, repetition, language_matches):
        verifier(long)
    assert time.perf_counter() - start < 2
