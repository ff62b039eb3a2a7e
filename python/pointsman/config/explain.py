"""Pydantic's errors in our words: place, key path, the value seen, the remedy."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pointsman.config.problems import Path, suggest
from pointsman.config.schema import Config

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from pointsman.config.document import Document

_EMPTY_SECTIONS = {
    "deployments": "has no entry, so there is nothing to route to; add one: "
    "`deployments: [{model: gpt-4o-mini, provider: openai}]`",
    "providers": 'has no entry; add one: `providers: {openai: {api_key: "${OPENAI_API_KEY}"}}`',
    "models": "has no entry; add one: `models: {gpt-4o-mini: {}}`",
}


def explain(error: ValidationError, document: Document, root: type[BaseModel] = Config) -> list[str]:
    """One problem line an error, in pydantic's order, without those that only repeat another.

    Args:
        error: What pydantic found.
        document: What it was found in.
        root: The settings class that the document was read as.
    """
    problems = []
    for details in error.errors(include_url=False):
        path = _path_in(document.data, details)
        is_told = root is Config and _is_empty_section(path, document.data)
        if path in document.unfilled or is_told:
            continue
        problems.append(document.origin.problem(path, _text(details, path, document, root)))
    return list(dict.fromkeys(problems))


def empty_sections(document: Document) -> list[str]:
    """Problems of the sections a config cannot do without."""
    return [
        document.origin.problem((section,), text)
        for section, text in _EMPTY_SECTIONS.items()
        if _is_empty_section((section,), document.data)
    ]


def _is_empty_section(path: Path, data: Mapping[str, Any]) -> bool:
    if len(path) != 1 or path[0] not in _EMPTY_SECTIONS:
        return False
    value = data.get(str(path[0]))
    return value is None or value in ({}, [])


def _path_in(data: Any, details: ErrorDetails) -> Path:
    """The error's key path as far as the file has it; validators may have looked inside a shorthand."""
    path: list[str | int] = []
    current = data
    parts = [part for part in details["loc"] if part != "[key]"]
    for index, part in enumerate(parts):
        if isinstance(part, int) and isinstance(current, Mapping):
            continue  # One entry, written without the list around it.
        is_lacking = details["type"] == "missing" and index == len(parts) - 1
        if not _has(current, part) and not is_lacking:
            break
        path.append(part)
        current = current[part] if _has(current, part) else None
    return tuple(path)


def _has(container: Any, part: str | int) -> bool:
    if isinstance(container, Mapping):
        return part in container
    return isinstance(container, list) and isinstance(part, int) and part < len(container)


def _value_at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part] if _has(data, part) else None
    return data


def _text(details: ErrorDetails, path: Path, document: Document, root: type[BaseModel]) -> str:
    kind = details["type"]
    if kind == "pointsman":
        return details["msg"]
    field, section = _walk(path if kind != "extra_forbidden" else path[:-1], root)
    if kind == "extra_forbidden":
        return f"unknown key; {suggest(str(path[-1]), section.model_fields if section else (), noun='keys')}"
    expected, example = _expectation(field)
    if kind == "missing":
        return f"is missing; give {expected}, for example `{path[-1]}: {example}`"
    if details["loc"][-1:] == ("[key]",):
        return _key_text(details, str(path[-1]))
    value = _value_at(document.data, path)
    seen = document.origin.shown(path, value)
    if kind == "literal_error":
        return _literal_text(details, path, seen, value)
    if kind in _SHAPES:
        known = (
            f" with the keys {', '.join(section.model_fields)}" if section and kind == "model_type" else ""
        )
        return f"{seen} is not {_SHAPES[kind]}{known}; {_SHAPE_REMEDIES[kind]}"
    return f"{seen} is not {expected}; write for example `{_last_key(path)}: {example}`"


_SHAPES = {
    "model_type": "a mapping",
    "mapping_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "string_type": "text",
}
_SHAPE_REMEDIES = {
    "model_type": "write `key: value` lines below it",
    "mapping_type": "write `name: ...` lines below it",
    "dict_type": "write `name: ...` lines below it",
    "tuple_type": "write `[...]`, or lines that start with `- `",
    "string_type": "write it in quotes",
}


def _last_key(path: Path) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "key")


def _key_text(details: ErrorDetails, key: str) -> str:
    if details["type"] == "literal_error":
        return f"unknown key; {suggest(key, _choices(details), noun='keys')}"
    return "is not a name of 1 to 200 visible ASCII characters without spaces; rename it"


def _choices(details: ErrorDetails) -> list[str]:
    return [part.strip("'") for part in details["ctx"]["expected"].replace(" or ", ", ").split(", ")]


def _literal_text(details: ErrorDetails, path: Path, seen: str, value: Any) -> str:
    if path[:1] == ("providers",) and path[-1] == "kind" and value == "scripted":
        return f"{seen} is made in code only (pointsman.providers.scripted); write `kind: openai`"
    choices = _choices(details)
    hint = suggest(value, choices, noun="values") if isinstance(value, str) else ""
    remedy = hint if hint.startswith("did you mean") else "choose one of them"
    return f"{seen} is not one of {', '.join(choices)}; {remedy}"


def _expectation(field: FieldInfo | None) -> tuple[str, str]:
    if field is None:
        return "what belongs here", "..."
    return field.description or "a value", str((field.examples or ["..."])[0])


def _walk(path: Path, root: type[BaseModel]) -> tuple[FieldInfo | None, type[BaseModel] | None]:
    """The last field on a key path, and the settings class whose keys stand at its end, if any does."""
    section: type[BaseModel] | None = root
    field: FieldInfo | None = None
    entry: type[str | int] | None = None
    for part in path:
        is_entry, entry = entry is not None and isinstance(part, entry), None
        if is_entry:
            continue
        if section is None or part not in section.model_fields:
            return field, None
        field = section.model_fields[str(part)]
        section, entry = _inside(field.annotation)
    return field, section


def _inside(annotation: Any) -> tuple[type[BaseModel] | None, type[str | int] | None]:
    """The settings class inside an annotation, and the kind of an entry's key or index that leads to it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, None
    origin = get_origin(annotation)
    inner = [_inside(argument) for argument in get_args(annotation)]
    if origin in (Mapping, tuple):
        return next((section for section, _ in inner if section), None), str if origin is Mapping else int
    if origin in (Annotated, Union, types.UnionType):
        return next((found for found in inner if found != (None, None)), (None, None))
    return None, None
