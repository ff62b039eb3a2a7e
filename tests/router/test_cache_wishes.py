"""What policy, request and HTTP together permit of the cache."""

import pytest

from pointsman.errors import RequestError
from pointsman.router.cache_wishes import CacheWishes, cache_wishes, read_cache

from .test_request import NoPolicy, body, parse

BOTH = CacheWishes()


@pytest.mark.parametrize(
    ("allowed", "asked", "control", "reads", "writes"),
    [
        ("read-write", None, "", True, True),
        ("read-write", {"mode": "read"}, "", True, False),
        ("read-write", {"mode": "write"}, "", False, True),
        ("read-write", {"mode": "off"}, "", False, False),
        ("read", {"mode": "read-write"}, "", True, False),
        ("off", {"mode": "read-write"}, "", False, False),
        ("read", {"mode": "write"}, "", False, False),
        ("read-write", None, "no-store", False, False),
        ("read-write", None, "No-Cache", False, True),
        ("read", None, "no-cache", False, False),
        ("read-write", {"mode": "read"}, "max-age=0, no-store", False, False),
        ("read-write", None, "no-transform", True, True),
    ],
)
def test_each_can_only_narrow(allowed, asked, control, reads, writes):
    wishes = cache_wishes(allowed, asked, control)
    assert (wishes.reads, wishes.writes) == (reads, writes)


def test_the_smaller_age_counts():
    assert cache_wishes("read-write", {"max_age_s": 60.0}, "max-age=5").max_age_s == 5
    assert cache_wishes("read-write", {"max_age_s": 60.0}, "max-age=500").max_age_s == 60
    assert cache_wishes("read-write", None, "").max_age_s is None


def test_body_headers_and_http_reach_the_request():
    asked = body(pointsman={"cache": {"mode": "write", "scope": "mine"}})
    assert parse(asked).cache == CacheWishes(reads=False, scope="mine")
    headers = {"cache-mode": "read", "cache-max-age-s": "30", "cache-scope": "ours"}
    assert parse(body(), headers).cache == CacheWishes(writes=False, max_age_s=30, scope="ours")
    assert parse(body(), {"cache": "off"}).cache == CacheWishes(reads=False, writes=False)
    assert parse(body()).cache == BOTH


def test_the_body_wins_over_a_header_field_by_field():
    chat = parse(body(pointsman={"cache": {"mode": "read"}}), {"cache": "write", "cache-scope": "ours"})
    assert chat.cache == CacheWishes(writes=False, scope="ours")


def test_the_policy_narrows_the_request():
    class Off(NoPolicy):
        cache = "off"

    assert parse(body(pointsman={"cache": "read-write"}), policy=Off).cache == CacheWishes(
        reads=False, writes=False
    )


def test_a_null_field_is_no_wish():
    assert read_cache({"scope": None, "mode": "read"}, "pointsman.cache") == {"mode": "read"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"mod": "off"}, "unknown field pointsman.cache.mod; did you mean mode?"),
        ({"mode": "on"}, "pointsman.cache.mode must be one of read-write, read, write, off"),
        ({"mode": ["off"]}, "pointsman.cache.mode must be one of"),
        ({"max_age_s": -1}, "pointsman.cache.max_age_s must be a number >= 0"),
        ({"scope": ""}, "pointsman.cache.scope must be a non-empty string"),
        ({"scope": "x" * 300}, "pointsman.cache.scope must be a non-empty string"),
        (7, "pointsman.cache must be an object, got 7"),
        ("on", "pointsman.cache.mode must be one of"),
    ],
)
def test_a_wrong_wish_is_named(wrong, message):
    with pytest.raises(RequestError, match="^" + message.replace(".", r"\.").replace("?", r"\?")):
        parse(body(pointsman={"cache": wrong}))


def test_an_unknown_header_names_the_nearest():
    with pytest.raises(RequestError, match=r"did you mean x-pointsman-cache-scope\?"):
        parse(body(), {"cache-scop": "x"})
