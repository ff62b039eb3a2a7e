r"""Incremental parser of server-sent events: bytes in, `data` payloads out.

    >>> parser = SseParser()
    >>> parser.feed(b'data: {"a": 1}\n\ndata: [DO')
    [b'{"a": 1}']
    >>> parser.feed(b"NE]\n\n")
    [b'[DONE]']

Works on bytes throughout, so a chunk border inside a UTF-8 sequence needs no care, and a payload goes to the
JSON parser without being decoded first. Event names, ids and retry hints are skipped: the chat protocol says
everything in `data`.
"""

from __future__ import annotations

MAX_EVENT_BYTES = 16 * 2**20
"""Default bound of one event; a streamed image is about 2 MB."""

_BOM = b"\xef\xbb\xbf"


class EventTooLargeError(ValueError):
    """One event is larger than the parser's bound."""


class SseParser:
    """Parser of one stream. Not thread-safe.

    Args:
        max_event_bytes: Bound of one event, in bytes of its lines; more raises `EventTooLargeError`.
    """

    __slots__ = ("_data", "_is_start", "_max_event_bytes", "_n_bytes", "_partial", "_skip_lf")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._partial: list[bytes] = []
        """Pieces of the last, unfinished line."""
        self._data: list[bytes] = []
        """Values of the `data` lines of the unfinished event."""
        self._n_bytes = 0
        """Bytes held in the two."""
        self._skip_lf = False
        """The last chunk ended with CR: an LF at the start of the next belongs to it."""
        self._is_start = True

    def feed(self, chunk: bytes) -> list[bytes]:
        r"""Take the next bytes of the stream; return the payloads that are complete now, in order.

        An event without a `data` line gives nothing; several `data` lines are joined with `\n`.

        Raises:
            EventTooLargeError: The unfinished event outgrew the bound.
        """
        if not self._n_bytes and not self._skip_lf and not self._is_start:
            # What nearly every chunk is: whole events of one data line each.
            if chunk[:6] == b"data: " and chunk[-2:] == b"\n\n" and b"\r" not in chunk:
                if (end := chunk.find(b"\n")) == len(chunk) - 2:
                    return [chunk[6:end]]
            elif not chunk:
                return []
        return self._feed(chunk)

    def flush(self) -> list[bytes]:
        """Return the event that the end of the stream left unfinished, if it has data."""
        payloads = self._feed(b"\n\n") if self._n_bytes else []
        self._skip_lf = False
        return payloads

    def _feed(self, chunk: bytes) -> list[bytes]:
        if self._skip_lf and chunk:
            self._skip_lf = False
            if chunk[0] == 10:
                chunk = chunk[1:]
        if b"\r" in chunk:
            self._skip_lf = chunk[-1] == 13
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n" not in chunk:
            self._hold(self._partial, chunk)
            return []
        lines = chunk.split(b"\n")
        if self._partial:
            lines[0] = b"".join([*self._partial, lines[0]])
            self._n_bytes -= sum(map(len, self._partial))
            self._partial.clear()
        rest = lines.pop()
        if self._is_start:
            self._is_start = False
            lines[0] = lines[0].removeprefix(_BOM)
        payloads = self._events(lines)
        if rest:
            self._hold(self._partial, rest)
        return payloads

    def _events(self, lines: list[bytes]) -> list[bytes]:
        payloads = []
        data = self._data
        for line in lines:
            if line[:5] == b"data:":
                self._hold(data, line[6:] if line[5:6] == b" " else line[5:])
            elif not line and data:
                payloads.append(data[0] if len(data) == 1 else b"\n".join(data))
                data.clear()
                self._n_bytes = 0
            elif line == b"data":
                self._hold(data, b"")
        return payloads

    def _hold(self, where: list[bytes], piece: bytes) -> None:
        if piece or where is self._data:
            where.append(piece)
        # One more, so that empty lines count too.
        self._n_bytes += len(piece) + (where is self._data)
        if self._n_bytes > self._max_event_bytes:
            raise EventTooLargeError(f"an event is larger than {self._max_event_bytes} bytes")
