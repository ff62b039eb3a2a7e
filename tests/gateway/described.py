"""What schemathesis makes of the gateway's description: requests for each operation, and what answers are held to."""

from __future__ import annotations

import os
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pointsman.gateway.openapi import description

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
N_EXAMPLES = int(os.environ.get("POINTSMAN_N_EXAMPLES", "12"))
"""Requests an operation and kind; `make conformance` sets more."""


def document(models: list[str]) -> dict[str, Any]:
    """The description, its models those that lead beyond the first check."""
    described = description()
    schemas = dict(described["components"]["schemas"])
    for name in ("Chat", "Messages", "Responses"):
        asked = schemas[name]
        schemas[name] = {**asked, "properties": {**asked["properties"], "model": {"enum": models}}}
    return {**described, "components": {**described["components"], "schemas": schemas}}


def operations(models: list[str]) -> dict[str, Any]:
    """Every operation by its label, such as `GET /v1/models`."""
    schema = schemathesis.openapi.from_dict(document(models))
    return {found.ok().label: found.ok() for found in schema.get_all_operations()}


def check(operation: Any, url: str, mode: schemathesis.GenerationMode) -> int:
    """Send generated requests and check every answer; returns how many were sent."""
    n_sent = 0

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=N_EXAMPLES, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    def send(case: schemathesis.Case) -> None:
        nonlocal n_sent
        n_sent += 1
        case.validate_response(case.call(base_url=url, timeout=20), checks=CHECKS)

    send()
    return n_sent
