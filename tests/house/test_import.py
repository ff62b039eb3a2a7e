"""What `import pointsman` does, and what it leaves alone."""

import subprocess
import sys

import pytest

import pointsman

QUIET_IMPORT = """
import socket, sys
def refuse(*args, **kwargs):
    raise AssertionError("import touched the network")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
import threading
import pointsman
print(threading.active_count(), *sorted(sys.modules))
"""


def test_import_touches_no_network_starts_no_thread_and_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", QUIET_IMPORT], capture_output=True, text=True, check=True)
    n_threads, *modules = done.stdout.split()
    assert n_threads == "1"
    heavy = {
        "httpx",
        "pydantic",
        "pyreqwest",
        "starlette",
        "uvicorn",
        "anyio",
        "trio",
        "yaml",
        "typer",
        "rich",
        "sqlalchemy",
        "pyarrow",
    }
    assert not heavy & set(modules)


def test_the_public_surface_is_what_init_lists():
    for name in pointsman.__all__:
        assert getattr(pointsman, name) is not None
    public = {name for name in vars(pointsman) if not name.startswith("_")}
    modules = {name for name in public if type(getattr(pointsman, name)).__name__ == "module"}
    assert public - modules - {"annotations", "import_module", "Any", "TYPE_CHECKING"} <= set(
        pointsman.__all__
    )


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Ruoter"):
        pointsman.Ruoter  # noqa: B018
