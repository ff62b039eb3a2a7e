"""The same echo in every form the server bench needs: it reads the body, parses it, answers it as JSON."""

from __future__ import annotations

import orjson


async def bare(scope, receive, send) -> None:
    """Bare ASGI."""
    if scope["type"] != "http":
        return await _lifespan(receive, send)
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    answer = orjson.dumps(orjson.loads(body)) if body else b"ok"
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def _lifespan(receive, send) -> None:
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})


class Rsgi:
    """Granian's own interface."""

    async def __rsgi__(self, scope, proto) -> None:
        body = await proto()
        answer = orjson.dumps(orjson.loads(body)) if body else b"ok"
        proto.response_bytes(200, [("content-type", "application/json")], answer)


rsgi = Rsgi()


def __getattr__(name: str):
    """Frameworks are imported by the server that runs them, and only there."""
    makers = {
        "with_starlette": _starlette,
        "routed_by_starlette": _routed_by_starlette,
        "with_fastapi": _fastapi,
    }
    if name not in makers:
        raise AttributeError(name)
    return makers[name]()


def _starlette():
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    async def echo(request) -> Response:
        body = await request.body()
        answer = orjson.dumps(orjson.loads(body)) if body else b"ok"
        return Response(answer, media_type="application/json")

    return Starlette(routes=[Route("/echo", echo, methods=["GET", "POST"])])


class _BareEndpoint:
    """An object, not a function: Starlette wraps functions in its `Request` and `Response`."""

    async def __call__(self, scope, receive, send) -> None:
        await bare(scope, receive, send)


def _routed_by_starlette():
    from starlette.applications import Starlette
    from starlette.routing import Route

    return Starlette(routes=[Route("/echo", _BareEndpoint(), methods=["GET", "POST"])])


def _fastapi():
    from fastapi import FastAPI

    app = FastAPI()

    @app.post("/echo")
    async def echo(body: dict) -> dict:
        return body

    @app.get("/echo")
    async def ready() -> str:
        return "ok"

    return app
