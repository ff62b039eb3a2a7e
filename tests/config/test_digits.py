"""Prices keep every digit from the file to the catalog."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from pointsman.config import parse_config
from pointsman.registry import build_catalog_document
from tests.config.malformed import BASE, ENVIRON

nano_usd = st.integers(0, 10**15)


def built_price(text: str) -> int:
    config = parse_config(BASE.replace("0.15", text), environ=ENVIRON)
    return build_catalog_document(config)["deployments"][0]["price_nano_usd_per_mtok"]["input"]


@given(nano_usd)
def test_a_price_in_yaml_is_exact_to_the_nano_dollar(nano):
    assert built_price(format(Decimal(nano).scaleb(-9), "f")) == nano


@given(nano_usd)
def test_a_price_in_exponent_form_is_exact(nano):
    assert built_price(f"{nano}e-9") == nano


@given(st.decimals(0, 1000, places=6))
def test_a_python_float_means_its_shortest_decimal(usd):
    mapping = {
        "providers": {"openai": None},
        "models": {"gpt-4o-mini": None},
        "deployments": [
            {
                "model": "gpt-4o-mini",
                "provider": "openai",
                "price_usd_per_mtok": {"input": float(usd), "output": 1},
            }
        ],
    }
    document = build_catalog_document(parse_config(mapping, environ={}))
    assert document["deployments"][0]["price_nano_usd_per_mtok"]["input"] == int(usd * 10**9)
