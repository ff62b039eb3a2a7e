"""JSON Schemas of callers, checked in bounded time and without any network.

Regular expressions run on an engine of linear time; a schema that needs another (look-around) is not checked.
References may only point inside the schema, and its size with all of them written out is bounded: references
to references double with each step.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_SCHEMA_BYTES = 200_000
_MAX_NODES = 20_000
"""Nodes of a schema with its references written out; chosen, far above what tools and formats use."""
_MAX_WORK = 200_000_000
"""Nodes times characters of the document; about a second at worst."""


class Schema:
    """A compiled JSON Schema; tells of a document whether it is valid. Thread-safe."""

    __slots__ = ("_max_chars", "_validator")

    def __init__(self, schema: Any) -> None:
        """Compile a schema.

        Raises:
            ValueError: It is no JSON Schema, or one that is not checked here.
        """
        import jsonschema_rs

        n_nodes = _Nodes(schema).count(schema)
        if n_nodes > _MAX_NODES:
            raise ValueError(f"has {n_nodes} nodes with its references written out; at most {_MAX_NODES}")
        self._max_chars = _MAX_WORK // max(1, n_nodes)
        self._validator = jsonschema_rs.validator_for(
            schema, retriever=_refuse, pattern_options=jsonschema_rs.RegexOptions()
        )

    def is_valid(self, text: str, document: Any) -> bool | None:
        """Whether `document`, parsed from `text`, is valid; `None`: checking might take too long."""
        return None if len(text) > self._max_chars else self._validator.is_valid(document)


def schema_of(schema: Mapping[str, Any]) -> Schema | None:
    """The schema, compiled once for all equal ones; `None` if it is none, or not checked here."""
    try:
        text = orjson.dumps(schema)
    except (TypeError, ValueError):
        return None
    return _compiled(text) if len(text) <= _MAX_SCHEMA_BYTES else None


@lru_cache(maxsize=128)
def _compiled(text: bytes) -> Schema | None:
    try:
        return Schema(orjson.loads(text))
    except (ValueError, RecursionError):
        return None


def _refuse(uri: str) -> Any:
    raise ValueError("no schema is fetched")


class _Nodes:
    """Counts a schema's nodes with its references written out; one that leads back to itself is one node."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._counts: dict[str, int] = {}

    def count(self, node: Any) -> int:
        """Nodes of a part of the schema.

        Raises:
            ValueError: A reference to anything but a place in the schema.
        """
        if isinstance(node, list):
            return 1 + sum(map(self.count, node))
        if not isinstance(node, dict):
            return 1
        n_nodes = 1
        for name, part in node.items():
            if name in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(part, str):
                n_nodes += self._count_at(part)
            else:
                n_nodes += self.count(part)
        return n_nodes

    def _count_at(self, reference: str) -> int:
        if reference not in self._counts:
            self._counts[reference] = 1
            self._counts[reference] = self.count(self._at(reference))
        return self._counts[reference]

    def _at(self, reference: str) -> Any:
        node = self._root
        if reference != "#" and not reference.startswith("#/"):
            raise ValueError("refers to what is no place in the schema")
        for step in reference.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            try:
                node = node[int(name)] if isinstance(node, list) else node[name]
            except (KeyError, IndexError, TypeError, ValueError):
                raise ValueError("refers to a place that the schema does not have") from None
        return node
