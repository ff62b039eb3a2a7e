"""A file that holds one policy: bare, or under `policies:` as in a config."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pointsman.config.document import read_yaml
from pointsman.config.explain import explain
from pointsman.config.load import read_text
from pointsman.config.schema import PolicySettings
from pointsman.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from pointsman.config.document import Document


def load_policy(path: Path, name: str) -> PolicySettings:
    """The policy of a file: bare, the one of that name under `policies:`, or the only one there.

    Raises:
        ConfigError: The file cannot be read, or holds no such policy; lists every problem.
    """
    read = read_yaml(read_text(path), str(path), os.environ)
    if read.problems:
        raise ConfigError(read.problems)
    held = replace(read, data=_policy_in(read, name))
    try:
        return PolicySettings.model_validate(held.data)
    except ValidationError as error:
        # Not chained: pydantic's report would print the values seen.
        raise ConfigError(explain(error, held, PolicySettings)) from None


def _policy_in(read: Document, name: str) -> Any:
    source = read.origin.source
    if not isinstance(read.data, Mapping):
        raise ConfigError([f"{source}: holds no policy; write its fields, for example `min_quality: 0.8`"])
    if "policies" not in read.data:
        return read.data
    policies = read.data["policies"]
    if not isinstance(policies, Mapping) or not policies:
        raise ConfigError([f"{source}: policies: holds no policy; add one"])
    if name not in policies and len(policies) > 1:
        known = ", ".join(map(str, policies))
        raise ConfigError([f"{source}: has the policies {known}, and none is {name!r}; give a file with one"])
    found = policies.get(name, next(iter(policies.values())))
    return {} if found is None else found
