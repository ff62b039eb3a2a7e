"""From a file, a text or a mapping to a checked `Config`; every problem is reported, not only the first."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pointsman.config.checks import dangling_references, duplicate_deployments, unserved_models
from pointsman.config.document import Document, read_mapping, read_yaml
from pointsman.config.explain import empty_sections, explain
from pointsman.config.problems import show
from pointsman.config.schema import Config
from pointsman.errors import ConfigError

MAX_FILE_BYTES = 16 * 1024 * 1024


def load_config(path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None) -> Config:
    """The config of a YAML file.

    Args:
        path: The file.
        environ: What `${NAME}` is filled from; the process environment if not given.

    Raises:
        ConfigError: The file cannot be read, or does not hold a usable config; lists every problem.
    """
    return parse_config(read_text(Path(path)), source=str(path), environ=environ)


def parse_config(
    document: str | Mapping[str, Any], *, source: str = "<config>", environ: Mapping[str, str] | None = None
) -> Config:
    r"""The config of a YAML text or of plain Python values.

    Args:
        document: YAML text, or what it would parse to.
        source: What the problems call it, usually a file name.
        environ: What `${NAME}` is filled from; the process environment if not given.

    Raises:
        ConfigError: It does not hold a usable config; lists every problem.

    Example:
        >>> config = parse_config(
        ...     "providers: {openai: {api_key: k}}\n"
        ...     "models: {gpt-4o-mini: {quality: 0.7}}\n"
        ...     "deployments: [{model: gpt-4o-mini, provider: openai}]\n"
        ... )
        >>> config.deployments[0].name
        'openai/gpt-4o-mini'
    """
    environ = os.environ if environ is None else environ
    if isinstance(document, str):
        read = read_yaml(document, source, environ)
    else:
        read = read_mapping(document, source, environ)
    if not isinstance(read.data, Mapping):
        raise ConfigError(read.problems or [_not_a_mapping(read)])
    config, problems = _validate(read)
    problems = [*read.problems, *problems, *empty_sections(read)]
    problems += dangling_references(read) + unserved_models(read) + duplicate_deployments(read)
    if config is None or problems:
        raise ConfigError(read.origin.in_order(problems))
    config._origin = read.origin
    return config


def _validate(document: Document) -> tuple[Config | None, list[str]]:
    try:
        return Config.model_validate(document.data), []
    except ValidationError as error:
        # Not chained: pydantic's report would print the values seen.
        return None, explain(error, document)


def _not_a_mapping(document: Document) -> str:
    start = "`providers:`, `models:` and `deployments:`"
    if document.data is None:
        return f"{document.origin.source}: is empty; begin with {start} (see pointsman.example.yaml)"
    seen = show(document.data) if isinstance(document.data, list) else "a single value"
    return document.origin.problem((), f"the top level is {seen}, not a mapping; begin with {start}")


def read_text(path: Path) -> str:
    """The text of a config file.

    Raises:
        ConfigError: It cannot be read, is larger than `MAX_FILE_BYTES`, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(
            [f"{path}: no such file; create it (see pointsman.example.yaml) or give another path"]
        ) from None
    except IsADirectoryError:
        raise ConfigError(
            [f"{path}: is a directory; give the file, for example {path / 'pointsman.yaml'}"]
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            [f"{path}: cannot be read ({reason}); check the path and its permissions"]
        ) from None
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError([f"{path}: is larger than {MAX_FILE_BYTES} bytes; is this the right file?"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            [f"{path}:{line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"]
        ) from None
