"""Headers as ASGI wants them."""

from pointsman.gateway.asgi import encode_headers


def test_headers_are_encoded_name_by_name():
    assert encode_headers({"a": "1", "b": "", "c": "x  y"}) == [(b"a", b"1"), (b"b", b""), (b"c", b"x  y")]
    assert encode_headers([("a", "1"), ("b", "2")]) == [(b"a", b"1"), (b"b", b"2")]
    assert encode_headers({"only": ""}) == [(b"only", b"")]


def test_a_value_that_would_break_its_line_stays_on_it():
    said = {"a": "one\r\nset-cookie: x\n", "b": "two  spaces", "c": "\n", "d": "né \ud800"}
    assert encode_headers(said) == [
        (b"a", b"one set-cookie: x"),
        (b"b", b"two  spaces"),
        (b"c", b""),
        (b"d", b"n? ?"),
    ]
