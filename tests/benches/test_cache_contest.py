"""The contest scores a cache for what it does."""

import json
import subprocess
import sys

import pytest

from .conftest import FOLDER

PAIRS = [
    ["a", "a!", 1, "own", "number", "en", "t1", "norm"],
    ["b", "b?", 1, "own", "negation", "de", "t2", "para"],
    ["c", "d", 0, "own", "number", "en", "t1", "twin"],
    ["e", "f", 0, "own", "negation", "de", "t2", "twin"],
]


class Scripted:
    """Serves what `serves(stored text, asked text)` says, newest first, within an identity if it minds them."""

    name = "scripted"

    def __init__(self, serves, minds_identity=True):
        self.serves, self.minds_identity = serves, minds_identity
        self.restart()

    def restart(self):
        self.entries = []

    def ask(self, text, identity):
        for stored, place, answer in reversed(self.entries):
            if self.serves(stored, text) and (place == identity or not self.minds_identity):
                return answer
        return None

    def store(self, text, identity, answer):
        self.entries.append((text, identity, answer))

    def debt_s(self):
        return 0.0


def test_recall_and_false_rate_count_served_pairs_by_label_family_and_language():
    from contest import play_pairs

    report = play_pairs(Scripted(lambda a, b: a == b[0] or (a, b) == ("c", "d")), PAIRS)
    assert (report["n"], report["recall"], report["false_rate"]) == (4, 1.0, 0.5)
    assert report["by_family"]["number"] == {"n": 2, "recall": 1.0, "false_rate": 1.0}
    assert report["by_kind"]["twin"]["false_rate"] == 0.5
    assert report["by_language"]["de"] == {"n": 2, "recall": 1.0, "false_rate": 0.0}


def test_pairs_do_not_see_each_other():
    from contest import play_pairs

    report = play_pairs(Scripted(lambda stored, asked: stored == "a"), PAIRS)
    assert (report["recall"], report["false_rate"]) == (0.5, 0.0)


def test_a_stream_hit_is_false_when_it_serves_another_answer():
    from contest import play_stream

    requests = [("a", "", 1), ("a", "", 1), ("b", "", 2), ("c", "", 3), ("c", "", 3)]
    report = play_stream(Scripted(lambda stored, asked: stored == asked or asked == "b"), requests)
    assert (report["n"], report["hit_rate"], report["false_hit_rate"]) == (5, 0.6, 0.2)
    assert report["false_per_hit"] == pytest.approx(1 / 3)


def test_a_cache_that_minds_the_conversation_makes_no_false_followup():
    import generate
    from contest import play_stream

    _, _, turns = generate.generate(n=2000, half="test")
    requests = [(turn.text, turn.identity, turn.answer) for turn in turns]
    exact = lambda stored, asked: stored == asked  # noqa: E731
    assert play_stream(Scripted(exact), requests)["false_per_hit"] == 0
    assert play_stream(Scripted(exact, minds_identity=False), requests)["false_per_hit"] > 0.8


def test_a_higher_threshold_serves_less_of_either_label():
    import generate
    from caches import THRESHOLDS, CosineCache, Memo
    from contest import play_pairs
    from static_embedding import StaticEmbedding

    pairs = [pair.wide_row() for pair in generate.generate(n=400)[0]]
    memo = Memo(StaticEmbedding())
    reports = [play_pairs(CosineCache("static", memo, threshold), pairs) for threshold in THRESHOLDS]
    for figure in ("recall", "false_rate"):
        figures = [report[figure] for report in reports]
        assert figures == sorted(figures, reverse=True)
        assert figures[0] > figures[-1]


def test_a_memo_counts_the_seconds_it_saved_once():
    from caches import Memo

    memo = Memo(lambda text: sum(range(10_000)))
    memo("a")
    assert memo.debt_s() == 0
    memo("a")
    assert memo.debt_s() > 0
    assert memo.debt_s() == 0


def test_the_numpy_embedding_is_the_one_the_core_ships():
    import numpy
    from static_embedding import DATA, StaticEmbedding

    embed = StaticEmbedding()
    rows = json.loads((DATA / "reference.json").read_text("utf-8"))
    compared = [row for row in rows if "\u200d" not in row["text"] and "[CLS]" not in row["text"]]
    assert len(compared) >= len(rows) - 2
    for row in compared:
        numpy.testing.assert_allclose(embed(row["text"]), row["vector"], atol=1e-3, err_msg=row["text"])


def test_pointsman_serves_repeats_and_never_across_conversations():
    native = pytest.importorskip("pointsman._native")
    if not hasattr(native, "Cache"):
        pytest.skip("this core has no cache yet")
    import generate
    from caches import PointsmanCache
    from contest import play_stream

    _, stream, turns = generate.generate(n=1000, half="test")
    cache = PointsmanCache()
    report = play_stream(cache, [(request.text, "", request.answer) for request in stream])
    n_exact = sum(request.kind == "exact" for request in stream)
    assert report["hit_rate"] >= n_exact / len(stream)
    followups = play_stream(cache, [(turn.text, turn.identity, turn.answer) for turn in turns])
    assert followups["false_per_hit"] == 0


def test_the_run_reports_every_cache_and_says_what_it_left_out():
    command = [sys.executable, str(FOLDER / "run.py"), "--n", "300", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    report = json.loads(done.stdout)
    names = [cache["name"] for cache in report["caches"]]
    assert "exact text" in names
    assert sum(name.startswith("cosine static") for name in names) == 4
    assert "--rivals" in done.stderr
    for cache in report["caches"]:
        assert {"recall", "false_rate", "by_family", "by_language", "by_kind"} <= set(cache["pairs"])
        assert {"hit_rate", "false_hit_rate", "false_per_hit", "lookup_us"} <= set(cache["stream"])
    table = subprocess.run(command[:-1], check=True, capture_output=True, text=True).stdout
    assert all(name in table for name in names)
