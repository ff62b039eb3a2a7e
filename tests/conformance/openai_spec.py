"""OpenAI's own description of chat completions, cut down to that one operation."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parents[3] / "shared" / "data" / "openai-openapi-2.3.0.yaml.gz"
PATH = "/chat/completions"


def chat_document(file: Path = FILE) -> dict[str, Any]:
    """OpenAPI with what a chat body may hold; the model is `auto`, answers are not described."""
    with gzip.open(file) as text:
        whole = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    body = whole["paths"][PATH]["post"]["requestBody"]
    found: dict[str, Any] = {}
    _collect(body, whole["components"]["schemas"], found)
    operation = {"requestBody": body, "responses": {"200": {"description": "an answer"}}}
    document = {
        "openapi": whole["openapi"],
        "info": whole["info"],
        "paths": {"/v1" + PATH: {"post": operation}},
        "components": {"schemas": found},
    }
    _set_model(found["CreateChatCompletionRequest"])
    return document


def _set_model(request: dict[str, Any]) -> None:
    for part in request.get("allOf", [request]):
        if "model" in part.get("properties", {}):
            part["properties"]["model"] = {"enum": ["auto"]}


def _collect(node: Any, schemas: dict[str, Any], found: dict[str, Any]) -> None:
    """Put the schemas that `node` refers to, and those they refer to, into `found`."""
    if isinstance(node, list):
        for each in node:
            _collect(each, schemas, found)
    elif isinstance(node, dict):
        name = str(node.get("$ref", "")).rpartition("/")[2]
        if name and name not in found:
            found[name] = schemas[name]
            _collect(schemas[name], schemas, found)
        for each in node.values():
            _collect(each, schemas, found)
