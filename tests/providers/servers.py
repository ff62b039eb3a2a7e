"""Loopback servers that do exactly what a test says, in threads of their own, so that any event loop can call."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import anyio


def answer(body: bytes, *, status: str = "200 OK", headers: dict[str, str] | None = None) -> bytes:
    lines = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunked(*pieces: bytes, end: bool = True) -> bytes:
    framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return framed + (b"0\r\n\r\n" if end else b"")


@dataclass
class Request:
    """One request as the server saw it, and the connection to answer on."""

    head: bytes
    body: bytes
    connection: socket.socket
    n_connection: int

    @property
    def path(self) -> str:
        return self.head.split()[1].decode()

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def wait_gone(self, timeout_s: float = 60.0) -> bool:
        """Whether the client closes within the time."""
        self.connection.settimeout(timeout_s)
        try:
            return self.connection.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


Handler = Callable[[Request], bytes | None]


@dataclass
class Server:
    """A server on a free port; `handler` returns the bytes to answer with, `None` to close."""

    handler: Handler
    tls: ssl.SSLContext | None = None
    session: Callable[[socket.socket], None] | None = None
    """Serves a whole connection, instead of `handler`."""
    requests: list[Request] = field(default_factory=list)
    n_connections: int = 0
    gone_at_s: float | None = None
    """`perf_counter` when a client that a handler waited for with `watch` went away."""

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def watch(self, request: Request) -> None:
        """Note when the client goes away."""
        if request.wait_gone():
            self.gone_at_s = time.perf_counter()

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.n_connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection, self.n_connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError, ValueError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                # Not at once: a socket whose handshake fails while it is made is nobody's to close.
                connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                self._open.append(connection)
                connection.do_handshake()
            self._session(connection, number)
        connection.close()

    def _session(self, connection: socket.socket, number: int) -> None:
        if self.session is not None:
            self.session(connection)
            return
        while request := read_request(connection, number):
            self.requests.append(request)
            reply = self.handler(request)
            if reply is None:
                break
            connection.sendall(reply)


def read_request(connection: socket.socket, number: int = 0) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    request = Request(head, body, connection, number)
    length = int(request.headers.get("content-length", "0"))
    while len(request.body) < length:
        request.body += connection.recv(65536)
    return request


def connect_proxy(seen: list[bytes]) -> Server:
    """A proxy: CONNECT tunnels, absolute-form requests are forwarded. Notes the request lines."""

    def handle(request: Request) -> bytes | None:
        line = request.head.split(b"\r\n")[0]
        seen.append(line)
        method, target, _ = line.split()
        is_tunnel = method == b"CONNECT"
        where = target.decode() if is_tunnel else target.decode().split("/")[2]
        host, _, port = where.partition(":")
        with socket.create_connection((host, int(port))) as upstream:
            if is_tunnel:
                request.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = b"/" + target.split(b"/", 3)[3]
                upstream.sendall(request.head.replace(target, path, 1) + b"\r\n\r\n" + request.body)
            back = threading.Thread(target=_pump, args=(upstream, request.connection), daemon=True)
            back.start()
            _pump(request.connection, upstream)
            back.join(5)

    return Server(handle)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def serve_h2(connection: socket.socket, answer_body: bytes, seen: list[dict[str, str]]) -> None:
    """Answer every HTTP/2 request on a connection with a JSON body in two DATA frames."""
    import h2.config
    import h2.connection
    import h2.events

    state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    state.initiate_connection()
    connection.sendall(state.data_to_send())
    while data := connection.recv(65536):
        for event in state.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                seen.append(dict(event.headers))
            if isinstance(event, h2.events.StreamEnded):
                half = len(answer_body) // 2
                state.send_headers(
                    event.stream_id, [(":status", "200"), ("content-type", "application/json")]
                )
                state.send_data(event.stream_id, answer_body[:half])
                state.send_data(event.stream_id, answer_body[half:], end_stream=True)
        connection.sendall(state.data_to_send())


async def eventually(claim: Callable[[], object], within_s: float = 30.0) -> bool:
    """Whether a claim comes true within the time."""
    deadline_s = time.perf_counter() + within_s
    while time.perf_counter() < deadline_s:
        if claim():
            return True
        await anyio.sleep(0.002)
    return bool(claim())
