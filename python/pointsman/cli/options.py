"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("pointsman.yaml")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Config file. Default: ./pointsman.yaml if it is there, else the API keys of the environment.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

StoreOption = Annotated[
    str | None,
    typer.Option("--store", help="The decision log: a path or URL as store.url. Default: the config's."),
]


def config_path(config: Path | None) -> Path | None:
    """The config file to use: the one asked for, `./pointsman.yaml`, or `None` for the environment."""
    if config is not None:
        return config
    return DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None


def store_url(store: str | None, config: Path | None) -> str:
    """The database of the decision log: the one asked for, else the config's.

    Raises:
        ConfigError: Neither names one.
    """
    from pointsman.config import load_config
    from pointsman.errors import ConfigError
    from pointsman.store.database import default_path

    if store is not None:
        return store
    path = config_path(config)
    settings = load_config(path).store if path is not None else None
    if settings is None:
        seen = f"{path} has no `store:` section" if path else "there is no config with a `store:` section"
        raise ConfigError([f"{seen}; give --store PATH"])
    return str(default_path()) if settings.url is None else settings.url.get_secret_value()
