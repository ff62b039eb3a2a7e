"""Each client in an environment of its own in the user's cache directory, made when it is first needed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pointsman.cli.demo.realmodel import cache_directory

DIRECTORY = cache_directory() / "clients"
SCRIPTS = Path(__file__).parent / "clients"
INSTALL_TIMEOUT_S = 600


class NotInstallable(Exception):
    """The client cannot be had here; the message says why."""


@dataclass(frozen=True)
class Client:
    """A client library and the script that exercises it.

    Attributes:
        name: Of its environment.
        packages: What is installed, pinned: from PyPI, or from npm if the script is JavaScript.
        script: File in `clients/`; called with the name of an exercise, it prints one JSON object.
        path: Endpoint of the gateway that it uses.
    """

    name: str
    packages: tuple[str, ...]
    script: str
    path: str = "/v1/chat/completions"

    @property
    def is_node(self) -> bool:
        return self.script.endswith(".mjs")

    def command(self) -> list[str]:
        """The command that runs the script; installs the client if it is not there. Errors as `installed`."""
        home = self.installed()
        if self.is_node:
            for source in SCRIPTS.glob("*.mjs"):  # Node looks for packages beside the script
                shutil.copy(source, home)
            return ["node", str(home / self.script)]
        return [str(home / "bin" / "python"), str(SCRIPTS / self.script)]

    def installed(self) -> Path:
        """The folder of the environment, made if it is not there.

        Raises:
            NotInstallable: No registry, or no Node.
        """
        home = DIRECTORY / self.name
        ready = home / f".{'+'.join(self.packages).replace('/', '_')}"
        if not ready.exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            self._install(home)
            ready.touch()
        return home

    def _install(self, home: Path) -> None:
        steps = [["npm", "install", "--no-audit", "--no-fund", "--silent", *self.packages]]
        if self.is_node:
            (home / "package.json").write_text('{"private": true, "type": "module"}')
        else:
            pip = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            steps = [[sys.executable, "-m", "venv", str(home)], [*pip, *self.packages]]
        for step in steps:
            try:
                subprocess.run(
                    step, cwd=home, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S
                )
            except FileNotFoundError as error:
                raise NotInstallable(f"{self.name}: {error.filename} is not installed") from None
            except subprocess.SubprocessError as error:
                said = getattr(error, "stderr", "") or str(error)
                raise NotInstallable(f"{self.name}: cannot be installed: {said[-300:]}") from None


MESSAGES = "/v1/messages"
RESPONSES = "/v1/responses"
OLD_OPENAI, NEW_OPENAI = "openai==2.54.0", "openai==3.57.0"
AI_SDK = ("ai@7.0.173", "zod@4.6.7")
CLIENTS = [
    Client("openai-2", (OLD_OPENAI,), "openai_chat.py"),
    Client("openai-3", (NEW_OPENAI,), "openai_chat.py"),
    Client("openai-3", (NEW_OPENAI,), "openai_responses.py", RESPONSES),
    Client("anthropic", ("anthropic==2.14.0",), "anthropic_messages.py", MESSAGES),
    Client("langchain-openai", ("langchain-openai==1.7.4",), "langchain_openai_chat.py"),
    Client("pydantic-ai", ("pydantic-ai-slim[openai]==2.68.0",), "pydantic_ai_chat.py"),
    Client("litellm", ("litellm==1.110.2",), "litellm_chat.py"),
    Client("ai-sdk-compatible", (*AI_SDK, "@ai-sdk/openai-compatible@3.0.92"), "ai_sdk_compatible.mjs"),
    Client("ai-sdk-openai", (*AI_SDK, "@ai-sdk/openai@4.0.118"), "ai_sdk_openai.mjs", RESPONSES),
    Client("ai-sdk-anthropic", (*AI_SDK, "@ai-sdk/anthropic@4.0.105"), "ai_sdk_anthropic.mjs", MESSAGES),
]
AIMOCK = Client("aimock", ("@copilotkit/aimock@1.43.0",), "aimock.mjs")
"""A server of canned answers whose chaos is set while it runs; made by others."""
SUITE_VERSION = "3.57.0"
SUITE_PACKAGES = "pytest pytest-asyncio respx dirty-equals httpx rich nest_asyncio inline-snapshot aiohttp"
SUITE = Client("openai-suite", (f"openai=={SUITE_VERSION}", *SUITE_PACKAGES.split()), "-")
"""What openai-python's own tests need."""
