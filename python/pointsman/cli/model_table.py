"""Deployments as rows, for people and for machines."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pointsman.types import NANO_USD_PER_USD

if TYPE_CHECKING:
    from collections.abc import Mapping

# Heading -> whether it is a column of numbers. Those in `_RARE` are shown where a row has something to say.
_COLUMNS = {
    "deployment": False,
    "model": False,
    "provider": False,
    "in": True,
    "cached": True,
    "cache write": True,
    "out": True,
    "reasoning": True,
    "batch": True,
    "long input": False,
    "context": True,
    "capabilities": False,
    "quality": False,
}
_ALWAYS = frozenset({"cached_input", "batch_input", "batch_output"})
_RARE = frozenset({"cache write", "reasoning", "long input"})
# A pipe is 80 columns to rich; folding names there would make them useless to grep.
_PIPE_COLUMNS = 200


def deployment_rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One object a deployment of a catalog document; prices are exact decimals as text, USD per 1M tokens."""
    models = {model["name"]: model for model in document["models"]}
    return [_row(deployment, models[deployment["model"]]) for deployment in document["deployments"]]


def usd(nano_usd: int | None) -> str | None:
    """Dollars of nano-dollars as plain decimal text: no digit lost, no needless zero."""
    if nano_usd is None:
        return None
    text = format(Decimal(nano_usd) / NANO_USD_PER_USD, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table, with a note on what the columns mean."""
    from rich.console import Console
    from rich.table import Table

    table = Table(caption="prices: US dollars per 1M tokens; quality*: guessed from the price, set your own")
    cells = [dict(zip(_COLUMNS, _cells(row), strict=True)) for row in rows]
    shown = [name for name in _COLUMNS if name not in _RARE or any(row[name] for row in cells)]
    for name in shown:
        table.add_column(name, justify="right" if _COLUMNS[name] else "left", overflow="fold")
    for row in cells:
        table.add_row(*(row[name] for name in shown))
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPE_COLUMNS)
    console.print(table)


def _row(deployment: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    return {
        "deployment": deployment["name"],
        "model": deployment["model"],
        "provider": deployment["provider"],
        "tier": deployment["tier"],
        "price_usd_per_mtok": _prices(deployment["price_nano_usd_per_mtok"]),
        "context_window": model["context_window"],
        "max_output_tokens": model["max_output_tokens"],
        "capabilities": model["capabilities"],
        "quality": model["quality"],
        "quality_source": model["quality_source"],
    }


def _prices(nano_usd: Mapping[str, Any]) -> dict[str, Any]:
    """The prices that there are (`_ALWAYS`: null where there is none), and those of long inputs."""
    shown: dict[str, Any] = {
        key: usd(value)
        for key, value in nano_usd.items()
        if key not in ("above_tokens", "long_context") and (value is not None or key in _ALWAYS)
    }
    if long_context := nano_usd.get("long_context"):
        shown["long_context"] = [
            {"above_tokens": long["above_tokens"], **_prices(long)} for long in long_context
        ]
    return shown


def _cells(row: dict[str, Any]) -> list[str]:
    prices = row["price_usd_per_mtok"]
    batch = f"{prices['batch_input']}/{prices['batch_output']}" if prices["batch_input"] else ""
    # Who honours a schema honours JSON mode; it goes without saying.
    implied = {"json_object"} if "json_schema" in row["capabilities"] else set()
    guessed = "*" if row["quality_source"] == "price_heuristic" else ""
    return [
        row["deployment"],
        row["model"],
        row["provider"],
        prices["input"],
        prices["cached_input"] or "",
        prices.get("cache_write", ""),
        prices["output"],
        prices.get("reasoning", ""),
        batch,
        "; ".join(map(_long, prices.get("long_context", ()))),
        _short(row["context_window"]),
        " ".join(name for name in row["capabilities"] if name not in implied),
        f"{row['quality']['default']:.2f}{guessed}",
    ]


def _long(long: Mapping[str, Any]) -> str:
    return f">{_short(long['above_tokens'])}: {long['input']}/{long['output']}"


def _short(n_tokens: int) -> str:
    """128000 as `128k`, 1048576 as `1.0M`."""
    return f"{n_tokens / 1e6:.1f}M" if n_tokens >= 1_000_000 else f"{n_tokens / 1e3:.0f}k"
