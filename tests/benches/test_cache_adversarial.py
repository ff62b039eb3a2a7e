"""The adversarial cache set says what it claims to say: its labels can be trusted."""

import json
import re
import subprocess
import sys
from collections import Counter

import pytest

from .conftest import FOLDER

NUMBER = re.compile(r"\d+(?:[.:]\d+)*")
SPAN = re.compile(r'`[^`]+`|"[^"]+"|«[^»]+»|„[^“]+“|“[^”]+”')
MARKS = re.compile(r"[\s.?!,;\u00bf\u00a1\uff1f\u3002\uff01\uff0c]")
SWAPPED = {"route", "name_order"}


@pytest.fixture(scope="module")
def made():
    import generate

    return {half: generate.generate(half=half) for half in ("all", "train", "test")}


@pytest.fixture(params=["all", "train", "test"])
def half(request, made):
    return made[request.param]


def words(text):
    return Counter(re.findall(r"\w+", text.casefold()))


def test_the_default_is_about_six_thousand_pairs_with_no_family_under_a_hundred(half):
    pairs = half[0]
    assert 5500 <= len(pairs) <= 6500
    assert min(Counter(pair.family for pair in pairs).values()) >= 100


def test_labels_are_balanced_in_every_family_with_paraphrases_never_fewer(half):
    for family in {pair.family for pair in half[0]}:
        labels = Counter(pair.is_same for pair in half[0] if pair.family == family)
        assert labels[True] >= labels[False] >= 0.8 * labels[True], family


def test_every_family_speaks_every_language_in_both_halves(half):
    pairs = half[0]
    cells = Counter((pair.family, pair.language) for pair in pairs)
    assert len(cells) == len({pair.family for pair in pairs}) * len({pair.language for pair in pairs})
    assert len({pair.language for pair in pairs}) >= 4


def test_no_pair_comes_twice_in_either_direction(half):
    keys = Counter(frozenset((pair.a, pair.b)) for pair in half[0])
    assert max(keys.values()) == 1
    assert all(len(key) == 2 for key in keys)


def test_halves_share_no_template(made):
    train, test = ({pair.template for pair in made[name][0]} for name in ("train", "test"))
    assert train
    assert test
    assert not train & test


def test_a_negative_differs_in_more_than_case_spaces_and_marks(half):
    for pair in half[0]:
        if not pair.is_same:
            a, b = (MARKS.sub("", text.casefold()) for text in (pair.a, pair.b))
            assert a != b, pair


def test_a_minimal_swap_keeps_the_words_and_changes_their_order(half):
    swapped = [pair for pair in half[0] if pair.family in SWAPPED and not pair.is_same]
    same_words = [pair for pair in swapped if words(pair.a) == words(pair.b)]
    assert len(same_words) > 0.4 * len(swapped)


def test_most_paraphrases_are_reworded_the_rest_only_dressed(half):
    """Dressed: the same letters between a greeting and a word of thanks."""
    kinds = Counter(pair.kind for pair in half[0] if pair.is_same)
    assert 0.05 < kinds["norm"] / kinds.total() < 0.25
    for pair in half[0]:
        if pair.kind == "norm":
            a, b = (re.sub(r"\W", "", text.casefold()) for text in (pair.a, pair.b))
            assert a in b, pair


def test_a_paraphrase_keeps_numbers_quotations_and_code(half):
    for pair in half[0]:
        if pair.is_same:
            for pattern in (NUMBER, SPAN):
                a, b = (sorted(pattern.findall(text.casefold())) for text in (pair.a, pair.b))
                assert a == b, pair


def test_a_paraphrase_keeps_every_value_in_some_form(half):
    for pair in half[0]:
        if pair.is_same:
            for forms in pair.keeps:
                for text in (pair.a, pair.b):
                    assert any(form.casefold() in text.casefold() for form in forms), (forms, text)


def test_one_text_never_belongs_to_two_questions(half):
    answers = {}
    for request in half[1]:
        assert answers.setdefault(request.text, request.answer) == request.answer, request


def test_the_stream_repeats_as_asked_and_labels_how():
    import generate

    _, stream, _ = generate.generate(n=3000, repeats=0.3)
    seen, repeats = set(), Counter()
    for request in stream:
        assert (request.answer in seen) == (request.kind != "new"), request
        seen.add(request.answer)
        repeats[request.kind] += 1
    assert 0.25 < 1 - repeats["new"] / len(stream) < 0.35
    assert min(repeats[kind] for kind in ("exact", "norm", "para")) > 50


def test_a_followup_stands_under_many_conversations_that_its_identity_tells_apart(half):
    turns = half[2]
    conversations = {turn.identity: turn.conversation for turn in turns}
    assert len(conversations) == len({turn.conversation for turn in turns})
    under = Counter(turn.text for turn in turns)
    assert sum(n > 3 for n in under.values()) > len(under) / 2
    assert len({(turn.identity, turn.text) for turn in turns}) == len(turns)


def test_equal_seeds_give_equal_sets_and_other_seeds_others(made):
    import generate

    assert generate.generate(half="test") == made["test"]
    assert generate.generate(seed=2, n=300)[0] != generate.generate(seed=3, n=300)[0]


def test_the_command_writes_the_documented_rows(tmp_path):
    command = [sys.executable, str(FOLDER / "generate.py"), "--n", "300", "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    rows = {
        name: [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text("utf-8").splitlines()]
        for name in ("pairs", "stream", "followups")
    }
    assert {(len(row), row[2] in (0, 1), row[3]) for row in rows["pairs"]} == {(5, True, "own")}
    assert {row[2] for row in rows["stream"]} == {"new", "exact", "norm", "para"}
    assert {len(row) for row in rows["followups"]} == {4}


def test_the_readme_lists_exactly_the_families(made):
    table = (FOLDER / "README.md").read_text("utf-8").split("## Families")[1].split("\n\n")[0]
    listed = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert listed == {pair.family for pair in made["all"][0]}


def test_a_form_that_forgets_a_slot_is_an_error_that_names_file_line_and_slot(tmp_path):
    import templates

    (tmp_path / "xx_bad.txt").write_text("= a\nb\nc\n\n# number; n! = 2..9\nHow many {n}?\nHow many?\n")
    with pytest.raises(templates.BankError, match=r"xx_bad\.txt:5: \['n'\].*'How many\?'"):
        templates.load("xx", tmp_path)


@pytest.mark.parametrize(
    ("bank", "problem"),
    [
        ("# number; n! = 2\nHow many {n}?\nCount {n}.\n", "slot 'n' has one value"),
        ("# number; n! = 2..9\nHow many {n}?\n", r"a sense has 1 form\(s\)"),
        ("# number; n! = 2..9\nHow many {n.of}?\nCount {n}.\n", "'n' has no column 'of'"),
        ("number\nHow many?\n", "starts with 'number'"),
    ],
)
def test_a_malformed_bank_says_what_is_wrong(tmp_path, bank, problem):
    import templates

    (tmp_path / "xx_bad.txt").write_text(bank)
    with pytest.raises(templates.BankError, match=problem):
        templates.load("xx", tmp_path)
