"""`pointsman doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import anyio
import orjson
import typer
from rich.console import Console

from pointsman import _native
from pointsman.cli.doctor_gateway import watched
from pointsman.cli.finding import Finding
from pointsman.cli.options import ConfigOption, JsonOption, config_path
from pointsman.errors import ConfigError, ProviderError
from pointsman.providers import build_provider
from pointsman.signals.verifiers import Selection, missing_packages

if TYPE_CHECKING:
    from pointsman.providers import ProviderSettings
    from pointsman.registry import Registry

_MARKS = {"ok": "[green]ok[/green]  ", "warn": "[yellow]warn[/yellow]", "fail": "[red]FAIL[/red]"}
_GATEWAY_PACKAGES = (
    "starlette", "uvicorn", "uvloop", "httptools", "watchfiles", "prometheus_client", "opentelemetry.trace"
)  # fmt: skip
_REACH_WITHIN_S = 10.0


def doctor(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not try to reach the providers.")] = False,
) -> None:
    """Check config, keys, reachability and the native build; print what to fix."""
    findings = [_native_build(), _gateway_extra()]
    path = config_path(config)
    registry = _load(path, findings)
    if registry is not None:
        findings.append(_cache(registry))
        findings += watched(registry)
        findings.append(_signals(registry))
        findings += [_key(settings) for settings in registry.providers]
        if not offline:
            findings += anyio.run(_reach_all, registry)
    _show(findings, as_json)
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


def _native_build() -> Finding:
    seen = f"{_native.__version__}, {_native.build_profile}, Python {sys.version.split()[0]}"
    if _native.build_profile == "release":
        return Finding("native core", "ok", seen)
    return Finding("native core", "warn", seen, "a debug build decides 10x slower; build with --release")


def _gateway_extra() -> Finding:
    missing = [name for name in _GATEWAY_PACKAGES if not _is_there(name)]
    if not missing:
        return Finding("gateway packages", "ok", "all there")
    return Finding(
        "gateway packages",
        "warn",
        f"missing: {', '.join(missing)}",
        "pip install 'pointsman[gateway]' to serve",
    )


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is not there
        return False


def _load(path: Path | None, findings: list[Finding]) -> Registry | None:
    from pointsman.router import load_registry

    source = str(path) if path else "environment"
    try:
        registry = load_registry(path)
    except ConfigError as error:
        findings += [Finding(f"config {source}", "fail", problem) for problem in error.problems]
        return None
    seen = f"{len(registry.catalog)} deployments, version {registry.catalog.version}"
    findings.append(Finding(f"config {source}", "ok", seen))
    return registry


def _cache(registry: Registry) -> Finding:
    settings = registry.cache
    if settings is None:
        return Finding("cache", "ok", "none: every request calls a model (`cache: {}` keeps answers)")
    alike = "equal and alike questions" if settings.semantic else "equal questions only"
    judge = f" (judge {settings.judge})" if settings.judge else ""
    seen = (
        f"answers {alike}, up to {settings.max_mb:g} MB; at most {settings.target_error:.2%} of hits wrong, "
        f"{settings.audit_rate:.1%} audited{judge}"
    )
    if settings.path is None:
        return Finding("cache", "ok", f"{seen}; in memory only")
    path = Path(settings.path).absolute()
    place = next(folder for folder in (path, *path.parents) if folder.exists())
    if place.is_dir() and os.access(place, os.W_OK):
        return Finding("cache", "ok", f"{seen}; kept in {settings.path}")
    return Finding("cache", "fail", seen, f"{place} is no folder that can be written; change cache.path")


def _signals(registry: Registry) -> Finding:
    settings = registry.signals
    if settings is None:
        return Finding("signals", "ok", "none: no answer is looked at (`signals: {}` learns from them)")
    names = Selection(settings).of(None, "text", "general")
    seen = ", ".join(sorted(names)) + (f"; {len(settings.slices)} slices differ" if settings.slices else "")
    graders = {one.grader for one in settings.verdicts}
    seen += f"; floors are audited by {', '.join(sorted(graders))}" if graders else "; no floor is audited"
    missing = missing_packages(names | graders)
    if not missing:
        return Finding("signals", "ok", seen)
    lacking = "; ".join(f"{name} lacks {', '.join(packages)}" for name, packages in missing.items())
    return Finding("signals", "warn", lacking, "pip install 'pointsman[signals]', or `drop` them")


def _key(settings: ProviderSettings) -> Finding:
    check = f"key of {settings.name}"
    if settings.api_key:
        return Finding(check, "ok", "set")
    if urlsplit(settings.base_url).hostname in ("127.0.0.1", "localhost", "::1"):
        return Finding(check, "ok", "none, and the provider is local")
    return Finding(check, "warn", "none", f"set providers.{settings.name}.api_key")


async def _reach_all(registry: Registry) -> list[Finding]:
    findings: list[Finding] = []
    async with anyio.create_task_group() as group:
        for settings in registry.providers:
            served = (*registry.deployments, *registry.embedding_deployments)
            wanted = {each.upstream_model for each in served if each.provider == settings.name}
            group.start_soon(_reach, settings, wanted, findings)
    return sorted(findings, key=lambda finding: finding.check)


async def _reach(settings: ProviderSettings, wanted: set[str], findings: list[Finding]) -> None:
    check = f"provider {settings.name}"
    provider = build_provider(settings)
    try:
        with anyio.fail_after(_REACH_WITHIN_S):
            served = set(await provider.list_models())
    except TimeoutError:
        findings.append(
            Finding(
                check, "fail", f"no answer in {_REACH_WITHIN_S:g} s", f"is {settings.base_url} reachable?"
            )
        )
    except ProviderError as error:
        findings.append(Finding(check, "fail", str(error), _remedy(error, settings)))
    else:
        findings.append(_served(check, served, wanted))
    finally:
        await provider.aclose()


def _served(check: str, served: set[str], wanted: set[str]) -> Finding:
    missing = sorted(wanted - served)
    if missing and served:
        seen = f"reachable, but its list lacks {', '.join(missing)}"
        return Finding(check, "warn", seen, "check upstream_model of these deployments")
    return Finding(check, "ok", f"reachable, {len(served)} models")


def _remedy(error: ProviderError, settings: ProviderSettings) -> str:
    if error.code == "provider_auth":
        return f"the key was refused: check providers.{settings.name}.api_key"
    if error.code in ("provider_unreachable", "provider_timeout"):
        return f"is {settings.base_url} right, is the server up, is a proxy needed?"
    return f"check providers.{settings.name}.base_url {settings.base_url}: GET .../models should list models"


def _show(findings: list[Finding], as_json: bool) -> None:
    if as_json:
        report = {"findings": [asdict(finding) for finding in findings]}
        print(orjson.dumps(report).decode())
        return
    console = Console()
    for finding in findings:
        remedy = f"\n       -> {finding.remedy}" if finding.remedy else ""
        console.print(f"{_MARKS[finding.state]} {finding.check}: {finding.seen}{remedy}", highlight=False)
