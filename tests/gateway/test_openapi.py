"""The description of the endpoints: none is missing, and answers are what it says, whatever is asked."""

from __future__ import annotations

import re

import httpx
import pytest
import schemathesis
from starlette.routing import Route

from pointsman.config import parse_config
from pointsman.gateway.app import create_app
from pointsman.gateway.openapi import description
from pointsman.registry import registry_from_config
from pointsman.router import Router

from .conftest import config, scripted_gateway
from .described import check, operations

METHODS = {"get", "post", "put", "patch", "delete"}
OPERATIONS = operations(["auto", "auto:cheap", "nano", "no-such"])


@pytest.fixture(scope="module")
def cached_gateway():
    with scripted_gateway({}, cache={}) as served:
        yield served


def test_every_route_is_described_and_nothing_else():
    router = Router(registry_from_config(parse_config(config(), source="test")), providers={})
    served = {
        (method.lower(), re.sub(r":\w+}", "}", route.path))
        for route in create_app(router=router)._app.routes
        if isinstance(route, Route)
        for method in route.methods - {"HEAD"}
    }
    described = {
        (method, path) for path, item in description()["paths"].items() for method in METHODS & set(item)
    }
    assert served == described, "describe it in python/pointsman/gateway/openapi.yaml"


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
