"""The parser of server-sent events."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.providers.sse import EventTooLargeError, SseParser

EXAMPLES = {
    "one event": (b"data: a\n\n", [b"a"]),
    "no space": (b"data:a\n\n", [b"a"]),
    "only one space goes": (b"data:  a\n\n", [b" a"]),
    "several events": (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
    "several lines": (b"data: a\ndata: b\n\n", [b"a\nb"]),
    "empty data": (b"data\n\ndata:\n\n", [b"", b""]),
    "CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    "CR": (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    "mixed line ends": (b"data: a\r\n\ndata: b\n\r\n", [b"a", b"b"]),
    "comments": (b": ping\n\n:\ndata: a\n: x\n\n", [b"a"]),
    "other fields": (b"event: x\nid: 1\nretry: 3\ndata: a\n\nevent: y\n\n", [b"a"]),
    "unknown field": (b"database: a\ndata: b\n\n", [b"b"]),
    "byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
    "done": (b"data: [DONE]\n\n", [b"[DONE]"]),
    "unfinished": (b"data: a\n\ndata: b\n", [b"a"]),
    "UTF-8": ("data: äöü 漢字 🚂\n\n".encode(), ["äöü 漢字 🚂".encode()]),
    "colon in data": (b"data: a: b\n\n", [b"a: b"]),
}


@pytest.mark.parametrize(("stream", "payloads"), EXAMPLES.values(), ids=EXAMPLES.keys())
@pytest.mark.parametrize("n_bytes", [1, 2, 3, 1000])
def test_payloads_come_out_however_the_stream_is_cut(stream, payloads, n_bytes):
    parser = SseParser()
    found = []
    for i in range(0, len(stream), n_bytes):
        found += parser.feed(stream[i : i + n_bytes])
    assert found == payloads


LINES = st.sampled_from(
    [
        b"data: a",
        b"data:b",
        b"data",
        "data: ü🚂".encode(),
        b": c",
        b"event: e",
        b"",
        b"",
        b"x",
        b"\xef\xbb\xbf",
    ]
)
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"]))).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


def reference(stream: bytes) -> list[bytes]:
    """The specification, read line by line."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found, data = [], []
    for line in text.split(b"\n")[:-1]:
        name, _, value = line.partition(b":")
        if not line and data:
            found.append(b"\n".join(data))
            data = []
        elif name == b"data":
            data.append(value.removeprefix(b" "))
    return found


@given(STREAMS | st.binary(), st.lists(st.integers(0, 200), max_size=30))
def test_any_chunking_gives_the_events_of_the_whole(stream, cuts):
    parser = SseParser()
    found = []
    borders = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    for start, end in pairwise(borders):
        found += parser.feed(stream[start:end])
    assert found == reference(stream)


def test_flush_gives_what_the_end_left_unfinished():
    parser = SseParser()
    assert parser.feed(b"data: a\n\ndata: [DO") == [b"a"]
    assert parser.feed(b"NE]") == []
    assert parser.flush() == [b"[DONE]"]
    assert parser.flush() == []


@pytest.mark.parametrize("piece", [b"x" * 100, b"data: " + b"x" * 94, b"data: x\n", b"data:\n"])
def test_an_event_without_end_is_refused(piece):
    parser = SseParser(max_event_bytes=1000)
    with pytest.raises(EventTooLargeError, match="1000"):
        list(map(parser.feed, [piece] * 2000))


def test_a_long_stream_of_small_events_is_not_refused():
    parser = SseParser(max_event_bytes=100)
    for _ in range(1000):
        assert parser.feed(b"data: x\n\n") == [b"x"]
    for _ in range(1000):
        assert parser.feed(b": ping\n") == []


def test_many_small_pieces_make_one_large_event():
    parser = SseParser()
    parser.feed(b"data: ")
    for _ in range(4000):
        assert parser.feed(b"x" * 1000) == []
    assert parser.feed(b"\n\n") == [b"x" * 4_000_000]
