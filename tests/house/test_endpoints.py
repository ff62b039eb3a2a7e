"""Every route of the gateway stands in its OpenAPI description, and nothing else does."""

import re

from starlette.routing import Route

from pointsman.gateway.app import create_app
from pointsman.gateway.openapi import description
from pointsman.router import Router

METHODS = {"get", "post", "put", "patch", "delete"}
CONFIG = {
    "providers": {"p": {"base_url": "http://127.0.0.1:1"}},
    "models": {"m": {"quality": 0.5, "context_window": 8000}},
    "deployments": [{"model": "m", "provider": "p", "price_usd_per_mtok": {"input": 1, "output": 1}}],
}


def test_every_route_is_described_and_nothing_else():
    served = {
        (method.lower(), re.sub(r":\w+}", "}", route.path))
        for route in create_app(router=Router.from_config(CONFIG))._app.routes
        if isinstance(route, Route)
        for method in route.methods - {"HEAD"}
    }
    described = {
        (method, path) for path, item in description()["paths"].items() for method in METHODS & set(item)
    }
    assert served == described, "describe it in python/pointsman/gateway/openapi.yaml"
