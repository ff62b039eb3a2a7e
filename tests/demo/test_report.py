"""The demo's table: complete at 100 columns, honest about what is real, and adding up."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pointsman.cli.demo.report import Answered, real_answers, table_of, totals, try_it

REAL = Answered(
    title="invoice to JSON",
    profile="lookup\nfinance, json\ninteractive",
    model="nano-extract-v3",
    deployment="llama.cpp/nano-extract-v3",
    reason="cheapest of 3 deployments within 0.20 of the best quality 0.95 (lookup)",
    cost_usd=4e-6,
    baseline_cost_usd=6e-4,
    latency_ms=1_345,
    overhead_us=143.2,
    text='{"vendor": "[Acme]"}',
)
SIMULATED = Answered(
    title="chat, streamed",
    model="general-mid-32b",
    deployment="simulated-c/general-mid-32b",
    reason="cheapest of 2",
    cost_usd=1e-4,
    baseline_cost_usd=1e-3,
    latency_ms=900,
    ttft_ms=340,
)
REFUSED = Answered(title="impossible", reason="no feasible deployment: max_cost rejects 4 of 4", latency_ms=3)


def printed(*rows: Answered, width: int = 100) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(table_of(rows, "nano-extract-v3"))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 100, 160])
def test_table_fits_the_terminal_to_its_last_column(width):
    lines = printed(REAL, SIMULATED, REFUSED, width=width).splitlines()
    assert {len(line) for line in lines} == {len(lines[0])}
    assert len(lines[0]) <= width
    assert any(line.rstrip("│ ").endswith("143") for line in lines)


def test_row_tells_cost_baseline_latency_and_overhead():
    out = printed(REAL)
    assert all(text in out for text in ("4.0", "600.0", "1,345", "143", "cheapest of 3"))


def test_real_and_simulated_answers_are_told_apart():
    assert "llama.cpp/nano-extract-v3 real" in printed(REAL)
    out = printed(SIMULATED)
    assert "simulated-c/general-mid-32b" in out
    assert "real" not in out
    assert "first 340" in out


def test_refusal_has_no_cost_and_says_why():
    out = printed(REFUSED, width=160)
    assert "refused, as it should be: no feasible deployment" in out
    assert "0.0" not in out


def test_failure_is_shown_as_such():
    assert "failed: 502 broken" in printed(Answered(title="x", error="502 broken"))


def test_totals_count_answered_requests_only():
    line = totals([REAL, SIMULATED, REFUSED], "frontier-reasoning-1")
    assert "2 answered" in line
    assert "$0.000104" in line
    assert "saved 93.5%" in line


def test_totals_of_nothing_save_nothing():
    assert "saved 0.0%" in totals([REFUSED], "frontier-reasoning-1")


def test_only_the_real_models_answers_are_quoted():
    assert len(real_answers([REAL, SIMULATED], "nano-extract-v3")) == 1
    assert real_answers([REAL, SIMULATED], None) == []


def test_snippet_is_valid_python_and_curl_is_one_line():
    curl, _, snippet = try_it("http://127.0.0.1:4100/v1").partition("\n\n")
    assert "\n" not in curl
    assert curl.startswith("curl ")
    compile(snippet, "snippet", "exec")
