"""What a simulated model answers: labelled as simulated, and of the shape the request asked for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CODE_WORDS = re.compile(r"\b(function|class|bug|refactor|python|rust|typescript|unit test)\b|```", re.I)
_SQL_WORDS = re.compile(r"\bSQL\b|\bSELECT\b", re.I)
_YES_NO = re.compile(r"\byes or no\b|\byes/no\b", re.I)
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z]\w+(?: [A-Z]\w+)*")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_SQL = "```sql\nSELECT name, count(*) AS n\nFROM orders\nGROUP BY name\nORDER BY n DESC\nLIMIT 10;\n```"
_PROSE = (
    "First, the request is read as a whole and its main point is named. "
    "Second, the facts that matter are weighed against each other, and what is uncertain is said so. "
    "Third, the conclusion follows from these facts alone; a real deployment would put its own words here."
)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of one tool: its name and its arguments as a JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: the text in pieces of about one token each, or a tool call.

    Attributes:
        pieces: What a stream sends one by one; joined, they are the text (or the tool call's arguments).
        tool_call: The tool call, when the answer is one.
        finish_reason: OpenAI's `stop`, `length` or `tool_calls`.
    """

    pieces: tuple[str, ...]
    tool_call: ToolCall | None
    finish_reason: str

    @property
    def text(self) -> str:
        """The pieces joined."""
        return "".join(self.pieces)


def answer(body: Mapping[str, Any], model: str) -> Answer:
    """The answer of simulated `model` to an OpenAI chat body; the same body gives the same answer."""
    messages: Sequence[Mapping[str, Any]] = body["messages"]
    prompt = "\n".join(text_of(message) for message in messages)
    tool = _tool_to_call(body, messages)
    if tool is not None:
        arguments = json.dumps(fill(tool.get("parameters") or {}, prompt))
        return Answer(pieces(arguments), ToolCall(str(tool.get("name", "")), arguments), "tool_calls")
    said = pieces(_text(body, prompt, model))
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or len(said)
    return Answer(said[:limit], None, "stop" if len(said) <= limit else "length")


def pieces(text: str) -> tuple[str, ...]:
    """`text` cut before each run of white space: about a token a piece, nothing lost."""
    return tuple(re.findall(r"\s*\S+\s*$|\s*\S+|\s+$", text))


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message, text parts joined; images and audio are left out."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))


def fill(schema: Mapping[str, Any], prompt: str, label: str = "") -> Any:
    """A value valid under the simple parts of a JSON Schema, taken from `prompt` where that is easy.

    Knows type, properties, items, minItems, enum, const, anyOf/oneOf/allOf (the first), local `$ref`,
    minimum and maximum. `label` is written into the first string that may hold anything.
    """
    return _Filler(schema, prompt, label).value(schema)


class _Filler:
    def __init__(self, root: Mapping[str, Any], prompt: str, label: str) -> None:
        self._definitions = root.get("$defs") or root.get("definitions") or {}
        self._prompt = prompt
        self._label = label

    def value(self, schema: Mapping[str, Any], name: str = "") -> Any:
        if "$ref" in schema:
            return self.value(self._definitions.get(str(schema["$ref"]).rsplit("/", 1)[-1], {}))
        for union in ("anyOf", "oneOf", "allOf"):
            if schema.get(union):
                return self.value(schema[union][0])
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._choice(schema["enum"])
        kind = schema.get("type", "object" if "properties" in schema else "string")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            return {key: self.value(part, key) for key, part in schema.get("properties", {}).items()}
        if kind == "array":
            return [self.value(schema.get("items", {})) for _ in range(max(1, schema.get("minItems", 1)))]
        if kind in ("integer", "number"):
            return self._number(schema, name, whole=kind == "integer")
        if kind in ("boolean", "null"):
            return True if kind == "boolean" else None
        return self._string(schema)

    def _choice(self, options: Sequence[Any]) -> Any:
        mentioned = [option for option in options if str(option).lower() in self._prompt.lower()]
        return (mentioned or list(options))[0]

    def _number(self, schema: Mapping[str, Any], name: str, *, whole: bool) -> float | int:
        """The number that follows the property's name in the prompt, else the prompt's first, else 1."""
        undated = _DATE.sub("", self._prompt)
        named = (
            re.search(rf"\b{re.escape(name)}\D{{1,12}}({_NUMBER.pattern})", undated, re.I) if name else None
        )
        found = named.group(1) if named else (_NUMBER.findall(undated) or ["1"])[0]
        number = float(found.replace(",", ""))
        number = max(schema.get("minimum", 0), min(schema.get("maximum", 1e12), number))
        return int(number) if whole else number

    def _string(self, schema: Mapping[str, Any]) -> str:
        if schema.get("format") == "date" or "date" in str(schema.get("description", "")).lower():
            return str((_DATE.findall(self._prompt) or ["2026-01-31"])[0])
        if self._label and not schema.get("pattern") and "maxLength" not in schema:
            label, self._label = self._label, ""
            return label
        names = _NAME.findall(self._prompt)
        return str((names or ["example"])[0])[: schema.get("maxLength", 80)]


def _tool_to_call(body: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    tools: list[Mapping[str, Any]] = [
        tool["function"] for tool in body.get("tools") or () if "function" in tool
    ]
    choice = body.get("tool_choice", "auto")
    if not tools or choice == "none" or messages[-1].get("role") == "tool":
        return None
    wanted = choice.get("function", {}).get("name") if isinstance(choice, dict) else None
    return next((tool for tool in tools if tool.get("name") == wanted), tools[0])


def _text(body: Mapping[str, Any], prompt: str, model: str) -> str:
    label = f"[simulated answer of {model}]"
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return json.dumps(fill(wanted.get("json_schema", {}).get("schema") or {}, prompt, label))
    if wanted.get("type") == "json_object":
        return json.dumps({"answer": label, "about": prompt[:60]})
    if _YES_NO.search(prompt):
        return f"{label} yes"
    if _SQL_WORDS.search(prompt):
        return f"{label}\n{_SQL}"
    if _CODE_WORDS.search(prompt):
        return (
            f"{label}\n```python\ndef solve(values: list[int]) -> int:\n"
            '    """The sum of the distinct values."""\n    return sum(set(values))\n```\n'
            "It keeps each value once, so a repeated value no longer counts twice."
        )
    return f"{label} {_PROSE}"


def counted(n_tokens: int, key: int) -> Answer:
    """An answer of `n_tokens` numbered tokens whose last one checks the others; see `check_counted`.

    Args:
        n_tokens: Tokens, >= 2; one of them is the check.
        key: Makes the text differ from other calls'.
    """
    said = [f"{index}:{crc32(f'{key}/{index}'.encode()):08x} " for index in range(max(1, n_tokens - 1))]
    return Answer((*said, f"#{crc32(''.join(said).encode()):08x}"), None, "stop")


def check_counted(text: str) -> None:
    """Check that no token of a counted answer was lost, repeated, changed or reordered.

    Raises:
        ValueError: Something is wrong with it, and what.

    Example:
        >>> check_counted(counted(3, key=1).text)
        >>> check_counted("1:00000000 #00000000")
        Traceback (most recent call last):
        ValueError: token 1 stands where token 0 should be
    """
    body, mark, check = text.rpartition("#")
    if not mark:
        raise ValueError(f"the answer is cut: no check at the end of {text[-40:]!r}")
    for index, token in enumerate(body.split()):
        if not token.startswith(f"{index}:"):
            raise ValueError(f"token {token.partition(':')[0]} stands where token {index} should be")
    if check != f"{crc32(body.encode()):08x}":
        raise ValueError("the check does not fit: a token was changed or lost")
