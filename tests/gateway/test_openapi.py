"""Answers are what the description of the endpoints says, whatever is asked."""

from __future__ import annotations

import httpx
import pytest
import schemathesis

from pointsman.gateway.openapi import description

from .conftest import scripted_gateway
from .described import check, operations

OPERATIONS = operations(["auto", "auto:cheap", "nano", "no-such"])


@pytest.fixture(scope="module")
def cached_gateway():
    with scripted_gateway({}, cache={}) as served:
        yield served


def test_description_is_served(cached_gateway):
    served = httpx.get(cached_gateway.url + "/openapi.json").json()
    assert served == description()
    schemathesis.openapi.from_dict(served).validate()


@pytest.mark.parametrize("label", OPERATIONS)
def test_answers_are_as_described(cached_gateway, label):
    assert check(OPERATIONS[label], cached_gateway.url, schemathesis.GenerationMode.POSITIVE) > 0


@pytest.mark.parametrize("label", [label for label, each in OPERATIONS.items() if each.body or each.query])
def test_wrong_request_is_no_server_error(cached_gateway, label):
    assert check(OPERATIONS[label], cached_gateway.url, schemathesis.GenerationMode.NEGATIVE) > 0
