"""TLS, proxies and HTTP/2, where a transport offers them."""

import ssl

import pytest

from pointsman.errors import ProviderUnreachable
from pointsman.providers import HttpCall
from tests.providers.servers import STREAM_HEAD, answer, chunked, connect_proxy, eventually, serve_h2


def post(url: str) -> HttpCall:
    return HttpCall("POST", f"{url}/v1/chat", {}, b"{}")


async def test_a_server_whose_root_is_trusted_is_served_over_tls(make_transport, serve, server_tls, ca_file):
    server = serve(lambda _: answer(b"ok"), server_tls)
    transport = make_transport(ca_file=ca_file)
    for _ in range(2):
        assert (await transport.send(post(server.url))).body == b"ok"
    assert server.n_connections == 1


async def test_a_stream_over_tls_ends_when_it_is_left(make_transport, serve, server_tls, ca_file):
    def handle(request):
        request.send(STREAM_HEAD + chunked(b"one", end=False))
        server.watch(request)

    server = serve(handle, server_tls)
    async with make_transport(ca_file=ca_file).stream(post(server.url)) as stream:
        assert await anext(stream.chunks()) == b"one"
    assert await eventually(lambda: server.gone_at_s)


async def test_a_server_whose_root_is_unknown_is_refused(make_transport, serve, server_tls):
    server = serve(lambda _: answer(b"ok"), server_tls)
    with pytest.raises(ProviderUnreachable):
        await make_transport().send(post(server.url))
    assert not server.requests


async def test_a_certificate_for_another_host_is_refused(make_transport, serve, authority, ca_file):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(tls)
    server = serve(lambda _: answer(b"ok"), tls)
    with pytest.raises(ProviderUnreachable):
        await make_transport(ca_file=ca_file).send(post(server.url))
    assert not server.requests


@pytest.fixture
def proxied(runtime, serve):
    if runtime.transport == "asyncio":
        pytest.skip("speaks to no proxy; default_transport takes httpx for one")
    seen: list[bytes] = []
    proxy = connect_proxy(seen)
    yield proxy, seen
    proxy.close()


async def test_a_proxy_forwards_plain_requests(make_transport, serve, proxied):
    proxy, seen = proxied
    server = serve(lambda _: answer(b"ok"))
    reply = await make_transport(proxy=proxy.url).send(post(server.url))
    assert reply.body == b"ok"
    assert seen == [f"POST {server.url}/v1/chat HTTP/1.1".encode()]


async def test_a_proxy_tunnels_tls(make_transport, serve, proxied, server_tls, ca_file):
    proxy, seen = proxied
    server = serve(lambda _: answer(b"ok"), server_tls)
    reply = await make_transport(proxy=proxy.url, ca_file=ca_file).send(post(server.url))
    assert reply.body == b"ok"
    assert seen == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1".encode()]


async def test_http2_is_spoken_when_offered(make_transport, serve, runtime, server_tls, ca_file):
    if runtime.transport == "asyncio":
        pytest.skip("speaks HTTP/1.1; default_transport takes another for HTTP/2")
    server_tls.set_alpn_protocols(["h2"])
    seen: list[dict[str, str]] = []
    server = serve(
        lambda _: None, server_tls, session=lambda connection: serve_h2(connection, b'{"a":1}', seen)
    )
    transport = make_transport(ca_file=ca_file, http2=True)
    for _ in range(2):
        assert (await transport.send(post(server.url))).body == b'{"a":1}'
    assert [request[":path"] for request in seen] == ["/v1/chat", "/v1/chat"]
    assert seen[0]["authorization"].startswith("Bearer ")
    assert server.n_connections == 1
