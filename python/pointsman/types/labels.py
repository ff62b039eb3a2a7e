"""Labels and names that requests, decisions and records share."""

from __future__ import annotations

from typing import Literal

Complexity = Literal["lookup", "generation", "reasoning"]
Domain = Literal["code", "math", "legal", "medical", "finance", "science", "general"]
Structure = Literal["text", "json", "sql", "code", "label"]
LatencyClass = Literal["interactive", "batch"]
Strategy = Literal["auto", "direct", "cascade", "race", "batch"]
CacheMode = Literal["read-write", "read", "write", "off"]
Arm = Literal["main", "canary", "pinned", "shadow"]
CacheLayer = Literal["exact", "normalised", "canonical", "semantic", "flight"]

NANO_USD_PER_USD = 1_000_000_000
DEFAULT_TENANT = "default"
"""Whose requests are those without a key."""
