"""Installs what the tests marked `real` need into the checkout's `.realparts/`; quick when it is all there.

A small model with its server, and the older major version of the `openai` client that frameworks resolve.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pointsman.cli.demo.realmodel import RealModelUnavailable, install

DIRECTORY = Path(__file__).parent.parent / ".realparts"
OLD_CLIENT = "openai==2.54.0"


def old_client_python(directory: Path = DIRECTORY) -> Path:
    """The Python that has the old client."""
    return directory / "openai2-venv" / "bin" / "python"


def _install_old_client() -> None:
    python = old_client_python()
    ready = python.parent.parent / f".{OLD_CLIENT}"
    if ready.exists():
        return
    print(f"installing {OLD_CLIENT}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", python.parent.parent], check=True)
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", OLD_CLIENT], check=True
    )
    ready.touch()


def main() -> int:
    """Install all; exit status 1 when something cannot be had."""
    try:
        install(DIRECTORY, lambda line: print(line, flush=True))
        _install_old_client()
    except (RealModelUnavailable, subprocess.CalledProcessError) as error:
        print(f"real parts: {error}", file=sys.stderr)
        return 1
    print(f"real parts are ready in {DIRECTORY.name}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
