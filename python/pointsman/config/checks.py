"""References between the parts of a config.

They are checked on the plain values rather than on validated settings, so that a dangling reference is
reported together with whatever else is wrong with the file. What has the wrong shape is passed over: pydantic
reports it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pointsman.config.problems import Path, shorten, suggest

if TYPE_CHECKING:
    from pointsman.config.document import Document


def dangling_references(document: Document) -> list[str]:
    """Deployments, policies and the baseline that name a model or provider the config does not have."""
    data = document.data
    known = {section: list(_mapping(data.get(section))) for section in ("models", "providers")}
    problems = []
    for path, section, name in _references(data):
        if path in document.unfilled or name in known[section]:
            continue
        noun = section.removesuffix("s")
        remedy = f"{suggest(name, known[section], noun=section)} (or add it under `{section}`)"
        text = f"unknown {noun} {document.origin.shown(path, name)}; {remedy}"
        problems.append(document.origin.problem(path, text))
    return problems


def unserved_models(document: Document) -> list[str]:
    """A baseline without a deployment has no price to compare with, and such a judge nobody to ask."""
    served = [deployment.get("model") for _, deployment in _deployments(document.data)]
    judge = _mapping(document.data.get("cache")).get("judge")
    grader = _mapping(_mapping(document.data.get("signals")).get("judge")).get("model")
    named = {
        ("baseline_model",): document.data.get("baseline_model"),
        ("cache", "judge"): judge,
        ("signals", "judge", "model"): grader,
    }
    return [
        document.origin.problem(
            path, f"{model!r} has no deployment; add one under `deployments`, or choose a model that has"
        )
        for path, model in named.items()
        if isinstance(model, str) and model not in served and model in _mapping(document.data.get("models"))
    ]


def duplicate_deployments(document: Document) -> list[str]:
    """Deployments that carry the name of an earlier one, given or made of provider, model and tier."""
    first_at: dict[str, Path] = {}
    problems = []
    for path, deployment in _deployments(document.data):
        name = _deployment_name(deployment)
        if name is None:
            continue
        if name in first_at:
            first = first_at[name]
            text = (
                f"deployment name {shorten(name)!r} is taken by deployments[{first[1]}] "
                f"({document.origin.where(first)}); give one of them another `name`"
            )
            problems.append(document.origin.problem((*path, "name"), text))
        first_at.setdefault(name, path)
    return problems


def _deployment_name(deployment: Mapping[str, Any]) -> str | None:
    if name := deployment.get("name"):
        return name if isinstance(name, str) else None
    model, provider, tier = deployment.get("model"), deployment.get("provider"), deployment.get("tier")
    if not isinstance(model, str) or not isinstance(provider, str):
        return None
    return f"{provider}/{model}" + ("" if tier in (None, "default") else f":{tier}")


def _references(data: Mapping[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Key path, section and name of every reference that is text."""
    for path, deployment in _deployments(data):
        yield from _named(deployment, path, "model", "models")
        yield from _named(deployment, path, "provider", "providers")
    for name, policy in _mapping(data.get("policies")).items():
        path = ("policies", name)
        policy = _mapping(policy)
        yield from _named(policy, path, "quality_like", "models")
        yield from _listed(policy, path, "models", "models")
        preferences = _mapping(policy.get("provider"))
        for key in ("order", "only", "ignore"):
            yield from _listed(preferences, (*path, "provider"), key, "providers")
    yield from _named(_mapping(data.get("cache")), ("cache",), "judge", "models")
    judge = _mapping(_mapping(data.get("signals")).get("judge"))
    yield from _named(judge, ("signals", "judge"), "model", "models")
    yield from _named(data, (), "baseline_model", "models")


def _deployments(data: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    entries = data.get("deployments")
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        yield ("deployments", index), _mapping(entry)


def _named(section: Mapping[str, Any], path: Path, key: str, target: str) -> Iterator[tuple[Path, str, str]]:
    if isinstance(name := section.get(key), str):
        yield (*path, key), target, name


def _listed(section: Mapping[str, Any], path: Path, key: str, target: str) -> Iterator[tuple[Path, str, str]]:
    names = section.get(key)
    for index, name in enumerate(names if isinstance(names, list) else []):
        if isinstance(name, str):
            yield (*path, key, index), target, name


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
