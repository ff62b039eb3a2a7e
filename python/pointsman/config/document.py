"""YAML text to plain values, keeping the line of every key path.

PyYAML's own constructor silently lets the last of two equal keys win and forgets where things stood, so the
node tree is walked here. Scalars follow YAML 1.2's core schema: `no` is text, `1e-3` a number. Floats become
`Decimal`, so that a price keeps every digit that was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import yaml

from pointsman.config.interpolate import has_reference, interpolate
from pointsman.config.problems import Origin, Path, format_path, show

_TAG: Final = "tag:yaml.org,2002:"
# An alias is walked again wherever it is used; this bounds what a few nested ones can blow up to.
MAX_NODES = 200_000
# Longer integers are out of every range; as decimals they can still be shown, as Python's int refuses to be.
_MAX_INT_BITS = 128


class _Loader(yaml.SafeLoader):
    """SafeLoader with the implicit types of YAML 1.2's core schema instead of those of 1.1."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012  (PyYAML's own attribute)


_IMPLICIT = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    "merge": (r"<<", "<"),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
}
for _name, (_pattern, _first) in _IMPLICIT.items():
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"^(?:{_pattern})$"), list(_first))


@dataclass(slots=True)
class Document:
    """Plain values with their origin.

    Attributes:
        data: Mappings, lists, text, int, Decimal, bool and None; None if the text could not be parsed.
        origin: Lines and environment templates by key path.
        problems: What was wrong so far, a line each.
        unfilled: Key paths whose `${NAME}` could not be filled; a second complaint about them would be noise.
    """

    data: Any
    origin: Origin
    problems: list[str]
    unfilled: frozenset[Path] = frozenset()


def read_yaml(text: str, source: str, environ: Mapping[str, str]) -> Document:
    """Parse YAML text; syntax errors, duplicate keys and unset variables become problems."""
    walk = _Walk(source, environ)
    try:
        node = yaml.compose(text, Loader=_Loader)
        data = walk.value(node, ()) if node is not None else None
    except yaml.MarkedYAMLError as error:
        return Document(None, walk.origin, [_syntax_problem(source, text, error)])
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"{source}:{line}: character U+{error.character:04X} is not allowed in YAML; remove it"
        return Document(None, walk.origin, [problem])
    except RecursionError:
        return Document(None, walk.origin, [f"{source}: is nested too deeply to be a config; flatten it"])
    return Document(data, walk.origin, walk.problems, frozenset(walk.unfilled))


def read_mapping(mapping: Mapping[str, Any], source: str, environ: Mapping[str, str]) -> Document:
    """Take plain Python values as a config; there are no lines, but `${NAME}` is filled as in a file."""
    walk = _Walk(source, environ)
    data = walk.plain(mapping, ())
    return Document(data, walk.origin, walk.problems, frozenset(walk.unfilled))


@dataclass(slots=True)
class _Walk:
    source: str
    environ: Mapping[str, str]
    lines: dict[Path, int] = field(default_factory=dict)
    templates: dict[Path, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unfilled: set[Path] = field(default_factory=set)
    open_nodes: set[int] = field(default_factory=set)
    n_nodes: int = 0

    @property
    def origin(self) -> Origin:
        return Origin(self.source, self.lines, self.templates)

    def report(self, path: Path, text: str, line: int | None = None) -> None:
        at = f"{self.source}:{line}: {format_path(path)}: " if line else ""
        self.problems.append(at + text if at else self.origin.problem(path, text))

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        self.n_nodes += 1
        if self.n_nodes > MAX_NODES:
            raise yaml.MarkedYAMLError(
                problem=f"more than {MAX_NODES} values; shorten the file or its aliases",
                problem_mark=node.start_mark,
            )
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, path)
        if id(node) in self.open_nodes:
            self.report(path, "an alias that contains itself; write the values out")
            return None
        self.open_nodes.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node, path)
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        finally:
            self.open_nodes.discard(id(node))

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _TAG + "merge":
                merged |= self.merge(value_node, path, line)
                continue
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _TAG + "null":
                self.report(path, "has a key that is not text; write a plain name", line)
                continue
            key = str(key_node.value)
            inner = (*path, key)
            if key in own:
                self.report(
                    inner, f"duplicate key, first on line {self.lines[inner]}; keep one of them", line
                )
                continue
            self.lines[inner] = line
            own[key] = self.value(value_node, inner)
        return merged | own

    def merge(self, node: yaml.Node, path: Path, line: int) -> dict[str, Any]:
        """Values of a `<<` key; of several mappings the earlier wins, as YAML's merge type has it."""
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for item in nodes:
            if not isinstance(item, yaml.MappingNode):
                self.report(path, "`<<` merges something that is not a mapping; point it at one", line)
                continue
            value = self.value(item, path)
            merged = (value or {}) | merged
        return merged

    def scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        kind = node.tag.removeprefix(_TAG)
        text = str(node.value)
        if kind == "str":
            return self.text(text, path)
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind in ("int", "float"):
            return _number(text)
        self.report(path, f"tag {show(node.tag)} is not supported; remove it")
        return None

    def text(self, text: str, path: Path) -> str:
        if not has_reference(text):
            return text
        filled, wrong = interpolate(text, self.environ)
        self.templates[path] = text
        for problem in wrong:
            self.report(path, problem)
            self.unfilled.add(path)
        return filled

    def plain(self, value: Any, path: Path) -> Any:
        if isinstance(value, Mapping):
            return {str(key): self.plain(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, str):
            return self.text(value, path)
        if isinstance(value, float):
            # The shortest decimal that is this float: 0.15, not 0.1499999999999999944.
            return Decimal(str(value))
        is_huge = isinstance(value, int) and value.bit_length() > _MAX_INT_BITS
        return Decimal(value) if is_huge else value


def _number(text: str) -> int | Decimal | str:
    """The number as it was written; text that no number can hold stays text, and is refused as such."""
    if re.fullmatch(r"[-+]?[0-9]{1,40}", text):
        return int(text)
    try:
        # YAML writes `.inf` and `.nan`, Python does without the dot.
        return Decimal(re.sub(r"\.(?=[in])", "", text.lower()))
    except ArithmeticError:
        return text


def _syntax_problem(source: str, text: str, error: yaml.MarkedYAMLError) -> str:
    """One line; the mark's snippet is left out because it would print whatever stands there, keys too."""
    mark = error.problem_mark or error.context_mark
    at = f"{source}:{mark.line + 1}: column {mark.column + 1}" if mark else source
    what = error.problem or "cannot be parsed"
    if any(word in what for word in ("alias", "anchor", "tag")):
        what = re.sub(r"'[^']*'|\"[^\"]*\"", "(name masked)", what)
    context = f" ({error.context})" if error.context and "'" not in error.context else ""
    remedy = "mend the syntax there or on the line before"
    if mark and any("${" in line for line in text.splitlines()[mark.line : mark.line + 1]):
        # The commonest slip: a brace of `${NAME}` ends or opens a mapping inside `{...}`.
        remedy = 'inside {...} put quotes around it: "${NAME}"'
    return f"{at}: is not valid YAML: {what}{context}; {remedy}"
