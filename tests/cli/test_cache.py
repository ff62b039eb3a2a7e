"""`pointsman cache` on a folder and on a running gateway; what `doctor` says of the cache."""

import json

import httpx
import pytest
from typer.testing import CliRunner

from pointsman.cache.identity import Question
from pointsman.cache.kept import KeptAnswer
from pointsman.cache.store import AnswerCache, CacheOptions
from pointsman.cli import app
from pointsman.types import Usage

from ..gateway.conftest import scripted_gateway

RUN = CliRunner()
CITIES = {"Norway": "Oslo", "Sweden": "Stockholm", "Denmark": "Copenhagen"}
CONFIG = """
providers: {local: {base_url: "http://127.0.0.1:1/v1"}}
models: {nano: {quality: 0.5, context_window: 4000}}
deployments: [{model: nano, provider: local, price_usd_per_mtok: {input: 1, output: 1}}]
"""


def answer(text):
    body = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]
    }
    return KeptAnswer(body, "nano@local", "nano", "local", Usage(n_output_tokens=1))


@pytest.fixture
def folder(tmp_path):
    """A folder with three answers, two of them of ann's."""
    path = tmp_path / "cache"
    cache = AnswerCache(CacheOptions(path=str(path)))
    for number, (land, city) in enumerate(CITIES.items()):
        question = Question(bytes([number] * 16), f"What is the capital of {land}?")
        cache.insert(question, answer(city).pack(), "ann" if number else "bob", 0.5)
    cache.write()
    cache.folder.close()
    return path


@pytest.fixture
def gateway():
    with scripted_gateway({}, cache={"audit_rate": 0}) as served:
        for land in CITIES:
            body = {
                "model": "nano",
                "messages": [{"role": "user", "content": f"What is the capital of {land}?"}],
            }
            httpx.post(served.url + "/v1/chat/completions", json=body).raise_for_status()
        yield served


def run(*arguments, status=0, stdin=None):
    done = RUN.invoke(app, ["cache", *map(str, arguments)], input=stdin)
    assert done.exit_code == status, done.output
    return done


def run_json(*arguments):
    return json.loads(run(*arguments, "--json").stdout)


def by_text(page):
    return {entry["text"]: entry["id"] for entry in page["data"]}


def check_everything(where):
    """What every target does the same."""
    ids = by_text(run_json("list", *where))
    assert len(ids) == 3
    listed = run("list", *where).stdout
    assert all(entry_id in listed for entry_id in ids.values())
    norway = ids["What is the capital of Norway?"]
    assert run_json("show", norway, *where)["text"] == "What is the capital of Norway?"
    assert "question: What is the capital of Norway?" in run("show", norway, *where).stdout
    run("correct", norway, "Oslo, on a fjord", *where)
    assert run_json("show", norway, *where)["answer"] == "Oslo, on a fjord"
    run("correct", norway, "-", *where, stdin="Oslo, again\n")
    assert run_json("show", norway, *where)["answer"] == "Oslo, again"
    run("delete", norway, *where)
    assert "there is no entry" in run("show", norway, *where, status=1).stderr
    assert run_json("stats", *where)["n_entries"] == 2
    assert "entries" in run("stats", *where).stdout


def test_a_folder_is_looked_at_and_put_right(folder):
    check_everything(("--folder", folder))
    assert run_json("clear", "--folder", folder, "--namespace", "bob")["n_deleted"] == 0
    assert run_json("clear", "--folder", folder, "--namespace", "ann")["n_deleted"] == 2
    assert run_json("stats", "--folder", folder)["n_entries"] == 0


def test_a_running_gateway_is_looked_at_and_put_right(gateway):
    check_everything(("--url", gateway.url))
    assert run_json("clear", "--url", gateway.url + "/v1", "--all")["n_deleted"] == 2


def test_lists_go_on_page_by_page_and_by_namespace(folder):
    assert set(by_text(run_json("list", "--folder", folder, "-n", "bob"))) == {
        "What is the capital of Norway?"
    }
    first = run_json("list", "--folder", folder, "--limit", 2)
    assert first["has_more"]
    rest = run_json("list", "--folder", folder, "--after", first["data"][-1]["id"])
    assert len(rest["data"]) == 1
    assert "more: --after" in run("list", "--folder", folder, "--limit", 2).stdout


def test_the_config_names_the_folder(folder, tmp_path):
    config = tmp_path / "pointsman.yaml"
    config.write_text(CONFIG + f"cache: {{path: {folder}}}\n")
    assert run_json("stats", "-c", config)["n_entries"] == 3
    config.write_text(CONFIG + "cache:\n")
    assert "has no `cache.path`" in run("stats", "-c", config, status=1).stderr


def test_a_folder_in_use_is_read_but_not_written(folder):
    with_lock = AnswerCache(CacheOptions(path=str(folder)))
    [norway, *_] = by_text(run_json("list", "--folder", folder)).values()
    assert "is kept by a running process" in run("delete", norway, "--folder", folder, status=1).stderr
    assert "is kept by a running process" in run("clear", "--all", "--folder", folder, status=1).stderr
    with_lock.folder.close()
    run("delete", norway, "--folder", folder)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["list", "--folder", "nowhere"], 1, "no such folder"),
        (["list", "--url", "http://127.0.0.1:1"], 1, "is it running?"),
        (["list", "--url", "not a url"], 1, "is it running?"),
        (["list", "--url", "http://127.0.0.1:1", "--folder", "x"], 2, "not both"),
        (["clear", "--folder", "x"], 2, "either --namespace NAME or --all"),
        (["clear", "--folder", "x", "--all", "-n", "a"], 2, "either --namespace NAME or --all"),
        (["correct", "0" * 16, "", "--folder", "x"], 2, "the answer is empty"),
        (["list", "--folder", "x", "--limit", "0"], 2, "limit"),
    ],
)
def test_wrong_usage_is_named(arguments, status, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(*arguments, status=status)
    assert message in " ".join(done.output.replace("│", " ").split())


def test_an_entry_that_is_not_there_is_named(folder):
    for command in (["show", "zz"], ["correct", "0" * 16, "x"], ["delete", "0" * 16]):
        assert "there is no entry" in run(*command, "--folder", folder, status=1).stderr


@pytest.mark.parametrize(
    ("section", "state", "seen"),
    [
        ("", "ok", "none: every request calls a model"),
        ("cache: {target_error: 0.02, semantic: false}\n", "ok", "answers equal questions only"),
        ("cache: {path: cache, judge: nano}\n", "ok", "(judge nano); kept in cache"),
        ("cache: {path: pointsman.yaml/x}\n", "fail", "at most 1.00% of hits wrong"),
    ],
)
def test_doctor_says_what_the_cache_does(section, state, seen, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pointsman.yaml").write_text(CONFIG + section)
    done = RUN.invoke(app, ["doctor", "--offline", "--json"])
    [finding] = [each for each in json.loads(done.stdout)["findings"] if each["check"] == "cache"]
    assert (finding["state"], seen in finding["seen"]) == (state, True), finding
