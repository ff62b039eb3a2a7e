"""The built-in price list: how it is made, and how names are found in it."""

import gzip
import importlib.util
import json
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.config.schema import ModelSettings
from pointsman.registry import price_list
from pointsman.registry.heuristic import price_heuristic

ROOT = Path(__file__).parents[2]
SOURCE = ROOT.parent / "shared" / "data" / "prices" / "litellm_model_prices_1.109.1.json.gz"
COMMITTED = ROOT / "python" / "pointsman" / "registry" / "prices.json.gz"

_spec = importlib.util.spec_from_file_location("build_price_list", ROOT / "tools" / "build_price_list.py")
tool = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tool)

needs_source = pytest.mark.skipif(not SOURCE.exists(), reason=f"the source {SOURCE.name} is not in ../shared")


# ---- making it


@needs_source
def test_the_committed_list_is_what_the_tool_makes():
    assert tool.build_price_list(SOURCE) == COMMITTED.read_bytes()


@needs_source
def test_no_digit_of_the_source_is_lost():
    source = json.loads(gzip.decompress(SOURCE.read_bytes()), parse_float=Decimal)
    for name, entry in price_list().items():
        for ours, theirs in (("input", "input_cost_per_token"), ("output", "output_cost_per_token")):
            # Where ranges of the input are priced, the first range is the price.
            raw = source[name] if theirs in source[name] else source[name]["tiered_pricing"][0]
            exact = Decimal(raw[theirs]) * 10**15
            # What lies below a nano-dollar per 1M tokens is float noise of the source, and rounded.
            assert abs(getattr(entry.price, ours) - exact) <= Decimal("0.5"), name


def test_the_list_is_small_and_carries_its_licence():
    assert COMMITTED.stat().st_size < 150_000
    assert COMMITTED.read_bytes()[4:8] == b"\0\0\0\0", "the gzip header must carry no time"
    assert "Copyright (c) 2023 Berri AI" in json.loads(gzip.decompress(COMMITTED.read_bytes()))["source"]
    for notice in (COMMITTED.with_name("PRICES_LICENSE"), ROOT / "NOTICE"):
        assert "Copyright (c) 2023 Berri AI" in notice.read_text()
        assert "Permission is hereby granted" in notice.read_text()


@given(st.integers(0, 10**15))
def test_a_price_per_token_becomes_nano_dollars_exactly(nano):
    text = json.dumps({"price": "X"}).replace('"X"', f"{nano}e-15")
    assert tool.nano_usd_per_mtok(json.loads(text, parse_float=Decimal)["price"]) == nano


def test_float_noise_of_the_source_is_rounded_away():
    assert tool.nano_usd_per_mtok(Decimal("9.499999999999999E-7")) == 950_000_000


def test_entries_without_token_prices_are_left_out():
    assert tool.entry_of({"mode": "chat", "litellm_provider": "x"}) is None
    assert tool.entry_of({"mode": "embedding", "litellm_provider": "x", "input_cost_per_token": 1}) is None


def test_every_capability_is_of_the_closed_list():
    known = set(ModelSettings.model_fields["capabilities"].annotation.__args__[0].__args__[0].__args__)
    assert {name for entry in price_list().values() for name in entry.capabilities} <= known


# ---- finding in it


def test_a_known_model_has_its_prices_and_limits():
    entry = price_list()["gpt-4o-mini"]
    assert (entry.price.input, entry.price.cached_input, entry.price.output) == (
        150_000_000,
        75_000_000,
        600_000_000,
    )
    assert (entry.batch.input, entry.batch.output) == (75_000_000, 300_000_000)
    assert (entry.context_window, entry.max_output_tokens) == (128_000, 16_384)
    assert {"tools", "vision", "json_schema"} <= set(entry.capabilities)
    assert (entry.flex, entry.priority.input) == (None, 250_000_000)


@pytest.mark.parametrize(
    ("name", "provider", "found"),
    [
        ("gpt-4o-mini", None, "gpt-4o-mini"),
        ("GPT-4o-Mini", None, "gpt-4o-mini"),
        ("grok-4.7", None, "xai/grok-4.7"),
        ("openai/gpt-oss-120b", "groq", "groq/openai/gpt-oss-120b"),
        ("gemini-2.5-flash", None, "gemini-2.5-flash"),
        ("gemini-2.5-flash", "google", "gemini/gemini-2.5-flash"),
        ("moonshotai/kimi-k3", "together", "together_ai/moonshotai/Kimi-K3"),
        ("gpt-4o-mini", "nobody", "gpt-4o-mini"),
    ],
)
def test_names_are_found_bare_prefixed_and_in_any_case(name, provider, found):
    assert price_list().find(name, provider).name == found


def test_a_miss_has_near_names():
    assert price_list().find("gpt-4o-mni") is None
    assert price_list().nearest("gpt-4o-mni")[0] == "gpt-4o-mini"
    assert price_list().nearest("zzzzzzzzzzzz") == []


def test_deprecation_counts_from_its_day():
    entry = price_list()["gpt-5"]
    assert entry.deprecation_date == date(2026, 12, 11)
    assert not entry.is_deprecated(date(2026, 12, 10))
    assert entry.is_deprecated(date(2026, 12, 11))


def test_nothing_is_read_at_import():
    code = (
        "import pointsman.registry, pointsman.registry.prices as p; print(p.price_list.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_the_registry_imports_without_pydantic_and_yaml():
    code = "import sys, pointsman.registry, pointsman.registry.reload; print({'pydantic', 'yaml'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# ---- the quality guessed from a price

prices = st.integers(0, 10**13)


@given(prices, prices, prices, prices)
def test_a_dearer_model_is_never_guessed_worse(cheap_in, cheap_out, more_in, more_out):
    cheap, dear = (
        price_heuristic(cheap_in, cheap_out),
        price_heuristic(cheap_in + more_in, cheap_out + more_out),
    )
    assert 0.5 <= cheap <= dear <= 0.93


def test_the_guess_spans_its_range():
    assert price_heuristic(0, 0) == 0.5
    assert price_heuristic(150_000_000, 600_000_000) == 0.6456
    assert price_heuristic(10**13, 10**13) == 0.93
