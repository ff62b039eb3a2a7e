"""JSON, JSON Schema and tool arguments: what passes, what fails, and what cannot be told."""

import time

import pytest

from pointsman.signals.structured import json_parses, json_schema, tool_arguments

from .conftest import answer, with_call, with_schema

OBJECT = {"type": "json_object"}
TOWN = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[A-Z][a-z]+$"}, "people": {"minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}


def value(signal):
    return None if signal is None else (signal.value, signal.kind)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"a": 1}', 1.0),
        ("[1, 2]", 0.0),
        ('{"a": 1', 0.0),
        ('```json\n{"a": 1}\n```', 0.0),
        ("", 0.0),
        ('{"a": NaN}', 0.0),
        ("[" * 100_000, 0.0),
    ],
)
def test_json_that_was_asked_for_by_format_is_a_gate(text, wanted):
    assert value(json_parses(answer(text, response_format=OBJECT))) == (wanted, "gate")


@pytest.mark.parametrize(
    ("text", "wanted"), [('```json\n{"a": 1}\n```', 1.0), ('Here: {"a": 1}', 0.0), ("[1]", 1.0)]
)
def test_json_that_only_words_asked_for_is_a_hint_and_may_stand_in_a_fence(text, wanted):
    assert value(json_parses(answer(text, structure="json"))) == (wanted, "hint")


def test_json_does_not_apply_to_prose_to_tool_calls_and_to_what_is_too_long_to_read_whole():
    assert json_parses(answer("Oslo")) is None
    assert json_parses(answer("Oslo", response_format=OBJECT, message={"tool_calls": [{}]})) is None
    assert json_parses(answer("x" * 300_000, response_format=OBJECT)) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"name": "Oslo"}', 1.0),
        ('{"name": "Oslo", "people": 700000}', 1.0),
        ('{"name": "oslo"}', 0.0),
        ('{"people": 1}', 0.0),
        ('{"name": "Oslo", "people": -1}', 0.0),
        ('{"name": "Oslo", "county": 3}', 0.0),
        ("Oslo", 0.0),
    ],
)
def test_a_schema_decides(text, wanted):
    assert value(json_schema(with_schema(text, TOWN))) == (wanted, "gate")


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:1/schema"},
        {"$ref": "#/$defs/missing"},
        {"type": "nonsense"},
        {"pattern": "^(?=a)b"},
        {"$ref": "#anchor"},
        {"pattern": "(a{1000}){1000}"},
    ],
)
def test_a_schema_that_cannot_be_checked_tells_nothing(schema):
    assert json_schema(with_schema('{"a": 1}', schema)) is None


def test_schemas_made_to_be_slow_are_not():
    doubling = {
        f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}, {"$ref": f"#/$defs/a{i + 1}", "minProperties": 0}]}
        for i in range(40)
    }
    deep = '{"c": ' * 200 + "{}" + "}" * 200
    both = {"properties": {"c": {"$ref": "#/$defs/n"}}, "required": ["c"]}
    cases = [
        ('{"a": 1}', {"$defs": {**doubling, "a40": {"type": "object"}}, "$ref": "#/$defs/a0"}),
        (deep, {"$defs": {"n": {"anyOf": [both, {**both, "maxProperties": 5}]}}, "$ref": "#/$defs/n"}),
        ('{"a": "' + "a" * 50_000 + '!"}', {"additionalProperties": {"pattern": "^(a+)+$"}}),
        ("[" + ",".join(f'{{"a": {i}}}' for i in range(9_000)) + "]", {"uniqueItems": True}),
        ("{}", {"allOf": [{"$ref": "#"}]}),
        ("{}", {"$ref": "#"}),
    ]
    start = time.perf_counter()
    for text, schema in cases:
        json_schema(with_schema(text, schema))
    assert time.perf_counter() - start < 5


def test_tool_arguments_are_valid_against_the_tools_schema():
    assert value(tool_arguments(with_call({"name": "Oslo"}, TOWN))) == (1.0, "gate")
    assert value(tool_arguments(with_call({"name": 3}, TOWN))) == (0.0, "gate")
    assert value(tool_arguments(with_call("{", TOWN))) == (0.0, "gate")
    assert value(tool_arguments(with_call("[1]", TOWN))) == (0.0, "gate")
    assert value(tool_arguments(with_call({}, None))) == (1.0, "gate")


def test_a_tool_that_was_not_offered_fails():
    assert value(tool_arguments(with_call({"name": "Oslo"}, TOWN, name="delete"))) == (0.0, "gate")


def test_no_call_fails_only_where_one_was_demanded():
    assert tool_arguments(answer("Oslo")) is None
    assert tool_arguments(answer("Oslo", tool_choice="auto")) is None
    assert value(tool_arguments(answer("Oslo", tool_choice="required"))) == (0.0, "gate")
