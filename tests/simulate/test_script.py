"""Scripts: what they may say, and what is said of wrong ones."""

from __future__ import annotations

import pytest

from pointsman.errors import ConfigError
from pointsman.simulate import SCENARIOS, Simulation, load_script, parse_script
from pointsman.simulate.fleet import gateway_config


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_is_a_good_script_and_a_gateway_can_route_over_it(name):
    from pointsman.config import parse_config

    script = SCENARIOS[name].script(seed=3)
    assert script.seed == 3
    assert set(Simulation(script).providers) == {"alpha", "beta", "gamma"}
    config = parse_config(gateway_config(script, "http://127.0.0.1:1"))
    assert len(config.deployments) == 6


def test_short_forms_mean_the_long_ones():
    script = parse_script(
        "providers: {a: {models: [m, n], faults: {idle: 0.1, hang: {p: 0.2, delay_s: 1}}}, b: }"
    )
    assert list(script.providers["a"].models) == ["m", "n"]
    assert [(fault.kind, fault.p, fault.delay_s) for fault in script.providers["a"].faults] == [
        ("idle", 0.1, 0),
        ("hang", 0.2, 1),
    ]
    assert list(script.providers["b"].models) == ["simulated-1"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "providers: {a: {latncy: {}}}",
            "s.yaml:1: providers.a.latncy: unknown key; did you mean 'latency'?",
        ),
        ("providers: {a: {faults: {idel: 1}}}", "did you mean 'idle'?"),
        ("providers: {a: {faults: {idle: 2}}}", "2 is not a probability from 0 to 1"),
        (
            "providers:\n  a:\n    latency: {ttft_p50_ms: slow}",
            "s.yaml:3: providers.a.latency.ttft_p50_ms: 'slow' is",
        ),
        ("providers: {}", "providers"),
        ("seed: 1", "providers: is missing"),
        ("- a", "not a mapping"),
    ],
)
def test_wrong_script_is_told_with_place_value_and_remedy(text, says):
    with pytest.raises(ConfigError) as raised:
        parse_script(text, source="s.yaml")
    assert says in str(raised.value)


def test_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_script(tmp_path / "none.yaml")
