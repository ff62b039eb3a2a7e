"""Deployments as rows, for people and for machines."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pointsman.types import NANO_USD_PER_USD

if TYPE_CHECKING:
    from collections.abc import Mapping

_COLUMNS = (
    "deployment",
    "model",
    "provider",
    "in",
    "cached",
    "out",
    "batch",
    "context",
    "capabilities",
    "quality",
)
_NUMBERS = frozenset({"in", "cached", "out", "batch", "context"})
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
    for column in _COLUMNS:
        table.add_column(column, justify="right" if column in _NUMBERS else "left", overflow="fold")
    for row in rows:
        table.add_row(*_cells(row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPE_COLUMNS)
    console.print(table)


def _row(deployment: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    prices = deployment["price_nano_usd_per_mtok"]
    return {
        "deployment": deployment["name"],
        "model": deployment["model"],
        "provider": deployment["provider"],
        "tier": deployment["tier"],
        "price_usd_per_mtok": {key: usd(value) for key, value in prices.items()},
        "context_window": model["context_window"],
        "max_output_tokens": model["max_output_tokens"],
        "capabilities": model["capabilities"],
        "quality": model["quality"],
        "quality_source": model["quality_source"],
    }


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
        prices["output"],
        batch,
        _short(row["context_window"]),
        " ".join(name for name in row["capabilities"] if name not in implied),
        f"{row['quality']['default']:.2f}{guessed}",
    ]


def _short(n_tokens: int) -> str:
    """128000 as `128k`, 1048576 as `1.0M`."""
    return f"{n_tokens / 1e6:.1f}M" if n_tokens >= 1_000_000 else f"{n_tokens / 1e3:.0f}k"
