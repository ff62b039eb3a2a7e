"""A changed config is taken when it is good, and refused without harm when it is not."""

import os
import signal
import sys
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from pointsman.errors import ConfigError
from pointsman.registry.reload import ConfigWatcher, load_registry_file

GOOD = """\
providers: {{local: {{base_url: "http://127.0.0.1:1/v1"}}}}
models: {{m: {{quality: 0.5, context_window: 1000}}}}
deployments:
  - {{name: {name}, model: m, provider: local, price_usd_per_mtok: {{input: 1, output: 1}}}}
"""
PATIENCE_S = 10


def good(name: str) -> str:
    return GOOD.format(name=name)


class Seen:
    """What a watcher handed on, with an event for each time it finished a reload."""

    def __init__(self, path, **options):
        self.names: list[str] = []
        self._done = anyio.Event()
        options = {"debounce_ms": 20, "clock": lambda: 1000.0} | options
        self.watcher = ConfigWatcher(path, self.take, **options)
        reload = self.watcher.reload

        async def told_reload() -> bool:
            try:
                return await reload()
            finally:
                self._done.set()

        self.watcher.reload = told_reload

    async def take(self, registry) -> None:
        self.names.append(registry.deployments[0].name)
        self._done.set()

    async def until_watching_failed(self) -> None:
        with anyio.fail_after(PATIENCE_S):
            while not self.watcher.is_polling:
                await anyio.lowlevel.checkpoint()

    async def until(self, condition) -> None:
        with anyio.fail_after(PATIENCE_S):
            while not condition():
                await self._done.wait()
                self._done = anyio.Event()


@asynccontextmanager
async def watching(path, **options):
    if "current" not in options:
        options["current"] = load_registry_file(path)
    seen = Seen(path, **options)
    async with anyio.create_task_group() as tasks:
        await tasks.start(seen.watcher.run)
        yield seen
        seen.watcher.close()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "pointsman.yaml"
    path.write_text(good("first"))
    return path


def replace(path, text: str) -> None:
    """As editors do: write beside, then rename over."""
    beside = path.with_suffix(".tmp")
    beside.write_text(text)
    beside.replace(path)


pytestmark = pytest.mark.anyio


async def test_a_changed_file_is_handed_on(path):
    async with watching(path) as seen:
        path.write_text(good("second"))
        await seen.until(lambda: seen.names == ["second"])


async def test_an_atomic_replace_is_seen_again_and_again(path):
    async with watching(path) as seen:
        for name in ("second", "third", "fourth"):
            replace(path, good(name))
            await seen.until(lambda name=name: seen.names[-1:] == [name])


async def test_swapped_symlinks_are_seen(tmp_path):
    """Kubernetes: the file is a link through `..data`, which is renamed over."""
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "pointsman.yaml").write_text(good(version))
    (tmp_path / "..data").symlink_to("v1")
    path = tmp_path / "pointsman.yaml"
    path.symlink_to("..data/pointsman.yaml")
    async with watching(path) as seen:
        (tmp_path / "..tmp").symlink_to("v2")
        (tmp_path / "..tmp").replace(tmp_path / "..data")
        await seen.until(lambda: seen.names == ["v2"])
        replace(tmp_path / "v2" / "pointsman.yaml", good("edited"))
        await seen.until(lambda: seen.names == ["v2", "edited"])


async def test_a_bad_file_is_refused_and_a_good_one_clears_it(path):
    async with watching(path) as seen:
        replace(path, good("second").replace("quality: 0.5", "quality: 5"))
        await seen.until(lambda: seen.watcher.last_error)
        assert seen.names == []
        [problem] = seen.watcher.last_error
        assert problem.startswith(f"{path}:2: models.m.quality: 5 is not a quality in [0, 1]")
        assert seen.watcher.last_error_at == 1000.0
        replace(path, good("third"))
        await seen.until(lambda: seen.names == ["third"])
        assert (seen.watcher.last_error, seen.watcher.last_error_at) == ([], None)


async def test_a_deleted_file_is_refused_until_it_is_back(path):
    async with watching(path) as seen:
        path.unlink()
        await seen.until(lambda: seen.watcher.last_error)
        assert "no such file" in seen.watcher.last_error[0]
        path.write_text(good("first"))
        await seen.until(lambda: seen.names == ["first"])


async def test_what_a_file_system_does_not_report_is_found_by_looking(path, monkeypatch):
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr("pointsman.registry.reload._directories", lambda path: [elsewhere])
    async with watching(path, poll_ms=100) as seen:
        path.write_text(good("second"))
        await seen.until(lambda: seen.names == ["second"])


async def test_touching_the_file_or_its_neighbours_reloads_nothing(path):
    async with watching(path) as seen:
        os.utime(path)
        (path.parent / "other.log").write_text("noise")
        replace(path, good("second"))
        await seen.until(lambda: seen.names)
        assert seen.watcher.n_reloads == 1


async def test_a_change_between_the_loading_and_the_watch_is_seen(path):
    """A preloaded application forks its workers, and respawns them, long after it read the file."""
    loaded = load_registry_file(path)
    replace(path, good("second"))
    async with watching(path, current=loaded) as seen:
        assert (seen.names, seen.watcher.n_reloads) == (["second"], 1)


async def test_a_file_that_is_still_what_was_loaded_is_not_handed_on(path):
    async with watching(path) as seen:
        assert (seen.names, seen.watcher.n_reloads) == ([], 0)


async def test_a_watch_that_knows_of_no_registry_begins_by_handing_one_on(path):
    async with watching(path, current=None) as seen:
        assert (seen.names, seen.watcher.n_reloads) == (["first"], 1)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [("127.0.0.1:1/v1", "127.0.0.1:2/v1"), ("provider: local,", "provider: local, upstream_model: n,")],
)
async def test_what_the_catalog_does_not_hold_is_a_difference_too(path, was, becomes):
    loaded = load_registry_file(path)
    replace(path, good("first").replace(was, becomes))
    async with watching(path, current=loaded) as seen:
        assert seen.names == ["first"]


async def test_a_file_that_went_bad_before_the_watch_is_refused_when_it_starts(path):
    loaded = load_registry_file(path)
    path.write_text("providers: {}")
    async with watching(path, current=loaded) as seen:
        assert seen.watcher.last_error
        assert seen.watcher.last_error_at == 1000.0
        replace(path, good("first"))
        await seen.until(lambda: seen.names == ["first"])


def no_watching(*args, **options):
    raise OSError(28, "OS file watch limit reached")


async def test_a_watch_that_fails_goes_on_by_polling_and_says_so(path, monkeypatch, caplog):
    monkeypatch.setattr("watchfiles.awatch", no_watching)
    async with watching(path, poll_ms=20) as seen:
        await seen.until_watching_failed()
        [line] = seen.watcher.last_error
        assert line == (
            f"{path}: watching failed (OSError: [Errno 28] OS file watch limit reached): "
            "the file is read every 20 ms instead"
        )
        assert [record.getMessage() for record in caplog.records] == [line]
        for name in ("second", "third"):
            replace(path, good(name))
            await seen.until(lambda name=name: seen.names[-1:] == [name])
        assert (seen.watcher.last_error, seen.watcher.is_polling) == ([], True)
    assert len(caplog.records) == 1


async def test_requests_are_served_while_polling(path, monkeypatch):
    monkeypatch.setattr("watchfiles.awatch", no_watching)
    async with watching(path, poll_ms=60_000) as seen:
        await seen.until_watching_failed()
        seen.watcher.request_reload()
        await seen.until(lambda: seen.names == ["first"])


async def test_without_watchfiles_the_file_is_polled(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    async with watching(path, poll_ms=20) as seen:
        await seen.until_watching_failed()
        assert "watching failed (ModuleNotFoundError: " in seen.watcher.last_error[0]
        replace(path, good("second"))
        await seen.until(lambda: seen.names == ["second"])


async def test_a_failed_watch_does_not_hide_why_the_file_was_refused(path, monkeypatch):
    monkeypatch.setattr("watchfiles.awatch", no_watching)
    loaded = load_registry_file(path)
    path.write_text("providers: {}")
    with pytest.raises(ConfigError) as refused:
        load_registry_file(path)
    async with watching(path, current=loaded, poll_ms=60_000) as seen:
        await seen.until_watching_failed()
        assert seen.watcher.last_error[:-1] == refused.value.problems


async def test_a_receiver_that_fails_does_not_end_the_watch(path, caplog):
    taken = []

    def take(registry) -> None:
        taken.append(registry.deployments[0].name)
        if taken == ["second"]:
            raise RuntimeError("out of sorts")

    async with watching(path) as seen:
        seen.watcher._on_change = take
        replace(path, good("second"))
        await seen.until(lambda: seen.watcher.last_error)
        assert seen.watcher.last_error == [f"{path}: reloading failed: RuntimeError: out of sorts"]
        assert caplog.records[0].exc_info
        replace(path, good("third"))
        await seen.until(lambda: taken == ["second", "third"] and not seen.watcher.last_error)


async def test_a_request_reloads_an_unchanged_file(path):
    async with watching(path) as seen:
        seen.watcher.request_reload()
        await seen.until(lambda: seen.names == ["first"])


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_sighup_reloads(path, anyio_backend):
    import asyncio

    loop = asyncio.get_running_loop()
    async with watching(path) as seen:
        loop.add_signal_handler(signal.SIGHUP, seen.watcher.request_reload)
        try:
            os.kill(os.getpid(), signal.SIGHUP)
            await seen.until(lambda: seen.names == ["first"])
        finally:
            loop.remove_signal_handler(signal.SIGHUP)


async def test_a_plain_function_may_take_the_registry(path):
    taken = []
    assert await ConfigWatcher(path, taken.append).reload()
    assert taken[0].deployments[0].name == "first"


async def test_cancelling_ends_the_watch_at_once(path):
    watcher = ConfigWatcher(path, lambda registry: None, poll_ms=60_000)
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            await tasks.start(watcher.run)
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancelled_asyncio_task_ends_too(path, anyio_backend):
    import asyncio

    watcher = ConfigWatcher(path, lambda registry: None, poll_ms=60_000)
    task = asyncio.create_task(watcher.run())
    await asyncio.sleep(0.02)
    task.cancel()
    with anyio.fail_after(PATIENCE_S), pytest.raises(asyncio.CancelledError):
        await task


def test_loading_refuses_what_the_core_would(path):
    assert load_registry_file(path).deployments[0].name == "first"
