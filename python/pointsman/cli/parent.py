"""Ending with whoever started us: the other end of our standard input closes when it is gone, killed too."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

_STDIN = 0

WithParentOption = Annotated[bool, typer.Option("--with-parent", help="End when standard input closes.")]


def when_stdin_closes(call: Callable[[], object]) -> None:
    """Call `call`, in a thread of its own, once standard input is at its end."""

    def wait() -> None:
        # The descriptor and not `sys.stdin`, whose lock the interpreter asks for when it ends.
        while True:
            try:
                if not os.read(_STDIN, 4096):
                    break
            except OSError:
                break
        call()

    threading.Thread(target=wait, name="pointsman-parent", daemon=True).start()
