"""Installs what the tests marked `real` need into the checkout's `.realparts/`; quick when it is all there.

A small model with its server, the older major version of the `openai` client that frameworks resolve, and
`llmock`, which misbehaves as providers do and judges its clients.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pointsman.cli.demo.realmodel import RealModelUnavailable, install

DIRECTORY = Path(__file__).parent.parent / ".realparts"
OLD_CLIENT = "openai==2.54.0"
LLMOCK = "llmock==0.2.2"


def old_client_python(directory: Path = DIRECTORY) -> Path:
    """The Python that has the old client."""
    return directory / "openai2-venv" / "bin" / "python"


def llmock_command(directory: Path = DIRECTORY) -> Path:
    """The program that serves llmock."""
    return directory / "llmock-venv" / "bin" / "llmock"


def _install(requirement: str, environment: Path) -> None:
    """Install a package into an environment of its own, unless it is there."""
    ready = environment / f".{requirement}"
    if ready.exists():
        return
    print(f"installing {requirement}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
    pip = [environment / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, requirement], check=True)
    ready.touch()


def main() -> int:
    """Install all; exit status 1 when something cannot be had."""
    try:
        install(DIRECTORY, lambda line: print(line, flush=True))
        _install(OLD_CLIENT, old_client_python().parent.parent)
        _install(LLMOCK, llmock_command().parent.parent)
    except (RealModelUnavailable, subprocess.CalledProcessError) as error:
        print(f"real parts: {error}", file=sys.stderr)
        return 1
    print(f"real parts are ready in {DIRECTORY.name}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
