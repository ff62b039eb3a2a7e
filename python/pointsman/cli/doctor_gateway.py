"""What of a gateway is on: keys, budgets, metrics, traces, logs."""

from __future__ import annotations

import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pointsman.cli.finding import Finding
from pointsman.errors import ConfigError
from pointsman.keys import KeyFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman.config import AllowanceSettings
    from pointsman.keys import Keyring
    from pointsman.registry import Registry

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def watched(registry: Registry) -> list[Finding]:
    """Who may ask, what it may cost, and how it is watched."""
    keyring, keys = _keys(registry)
    return [keys, _budgets(registry, keyring), _metrics(registry), _traces(), _logs()]


def _keys(registry: Registry) -> tuple[Keyring | None, Finding]:
    if registry.keys is None:
        return None, Finding("keys", "ok", "none needed, so the gateway binds to loopback only")
    try:
        keyring = KeyFolder(Path(registry.keys.path)).load()
    except ConfigError as error:
        return None, Finding("keys", "fail", str(error), "restore the folder that keys.path names")
    n_usable = keyring.n_usable(time.time())
    seen = f"{n_usable} of {len(keyring)} may be used, in {registry.keys.path}"
    if not n_usable:
        return keyring, Finding("keys", "warn", seen, "nobody is let in: pointsman keys create")
    return keyring, Finding("keys", "ok", seen)


def _budgets(registry: Registry, keyring: Keyring | None) -> Finding:
    settings = registry.budgets
    n_of_keys = sum(bool(key.budgets) for key in keyring.keys) if keyring else 0
    if settings is None and not n_of_keys:
        return Finding("budgets", "ok", "none: nothing bounds what is spent")
    total = _shown(settings.total) if settings else "none"
    n_tenants = len(settings.tenants) if settings else 0
    seen = f"total {total}; of {n_tenants} tenants and {n_of_keys} keys"
    if registry.keys is None and (settings is None or settings.path is None):
        remedy = "give budgets.path, or a restart forgets what was spent"
        return Finding("budgets", "warn", f"{seen}; kept in memory only", remedy)
    return Finding("budgets", "ok", seen)


def _shown(allowances: Sequence[AllowanceSettings]) -> str:
    windows = [f"${each.usd:g} a {each.period or f'window of {each.window_s:g} s'}" for each in allowances]
    return " and ".join(windows) or "none"


def _metrics(registry: Registry) -> Finding:
    who = "for an admin's key" if registry.keys is not None else "for anyone on this machine"
    return Finding("metrics", "ok", f"Prometheus at /metrics, {who}")


def _traces() -> Finding:
    endpoints = [name for name in _ENDPOINTS if os.environ.get(name)]
    has_sdk = find_spec("opentelemetry") is not None and find_spec("opentelemetry.sdk") is not None
    if not has_sdk and endpoints:
        remedy = "pip install opentelemetry-distro opentelemetry-exporter-otlp"
        return Finding("traces", "warn", f"{endpoints[0]} is set, and there is no SDK to export with", remedy)
    if not has_sdk:
        return Finding("traces", "ok", "none: there is no OpenTelemetry SDK")
    return Finding("traces", "ok", "OpenTelemetry's, under `opentelemetry-instrument pointsman serve`")


def _logs() -> Finding:
    return Finding("logs", "ok", "text; a JSON object a line with `pointsman serve --log-format json`")
