"""A loopback OpenAI-compatible server whose models are simulated, and say so in every answer.

Run as its own process: ``python -m pointsman.cli.demo.simulated --config JSON``. It prints one JSON line
with its address once it listens, and ends when its standard input closes, so that it cannot outlive the
demo that started it. Each provider answers under its own path: ``http://HOST:PORT/PROVIDER/v1``.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pointsman.cli.demo.answers import Answer, answer, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from starlette.requests import Request

CHARACTERS_PER_TOKEN = 4
"""Rough average of English text; the simulation counts input tokens with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedModel:
    """One simulated model at one simulated provider.

    Attributes:
        provider: First part of the path the provider answers under.
        model: Name the model answers to.
        ttft_ms: Milliseconds from the request to the first token.
        tokens_per_s: Tokens a second after that.
    """

    provider: str
    model: str
    ttft_ms: float
    tokens_per_s: float


def build_app(models: Iterable[SimulatedModel]) -> Starlette:
    """The ASGI application that answers for `models`."""
    by_name = {(model.provider, model.model): model for model in models}

    async def list_models(request: Request) -> Response:
        provider = request.path_params["provider"]
        served = [name for at, name in by_name if at == provider]
        rows = [{"id": name, "object": "model", "created": 0, "owned_by": "simulated"} for name in served]
        return JSONResponse({"object": "list", "data": rows})

    async def chat(request: Request) -> Response:
        arrived_s = time.monotonic()
        try:
            body = orjson.loads(await request.body())
            messages = body["messages"]
            said = answer(body, str(body["model"]))
        except (KeyError, TypeError, AttributeError, ValueError, IndexError, RecursionError) as error:
            return _error(400, f"simulated server cannot read the request: {type(error).__name__}: {error}")
        model = by_name.get((request.path_params["provider"], body["model"]))
        if model is None:
            return _error(404, f"simulated server has no model {body['model']!r}")
        n_input_tokens = sum(len(text_of(message)) // CHARACTERS_PER_TOKEN + 4 for message in messages)
        reply = _Reply(model, body, said, n_input_tokens, arrived_s)
        if body.get("stream"):
            return StreamingResponse(reply.stream(), media_type="text/event-stream")
        await reply.wait_for_token(len(said.pieces))
        return Response(orjson.dumps(reply.whole()), media_type="application/json")

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "simulated": True})

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/{provider}/v1/models", list_models),
            Route("/{provider}/v1/chat/completions", chat, methods=["POST"]),
        ]
    )


class _Reply:
    """One answer on its way out, paced as the model's latency says."""

    def __init__(
        self,
        model: SimulatedModel,
        body: Mapping[str, Any],
        said: Answer,
        n_input_tokens: int,
        arrived_s: float,
    ) -> None:
        self._model = model
        self._body = body
        self._said = said
        self._n_input_tokens = n_input_tokens
        self._arrived_s = arrived_s
        self._id = f"chatcmpl-simulated-{time.time_ns():x}"

    async def wait_for_token(self, index: int) -> None:
        """Sleep until the token is due, counted from the arrival, so that waits do not add up."""
        due_s = self._arrived_s + self._model.ttft_ms / 1e3 + index / self._model.tokens_per_s
        await anyio.sleep(max(0.0, due_s - time.monotonic()))

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self._said.text}
        if self._said.tool_call:
            message = {"role": "assistant", "content": None, "tool_calls": [self._tool_call(self._said.text)]}
        choice = {"message": message, "logprobs": None, "finish_reason": self._said.finish_reason}
        choices = [{"index": index, **choice} for index in range(self._body.get("n") or 1)]
        return self._envelope("chat.completion", choices) | {"usage": self._usage()}

    async def stream(self) -> AsyncIterator[bytes]:
        await self.wait_for_token(0)
        first: dict[str, Any] = {"role": "assistant", "content": ""}
        if self._said.tool_call:
            first = {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"index": 0, **self._tool_call("")}],
            }
        yield self._chunk(first)
        for index, piece in enumerate(self._said.pieces):
            await self.wait_for_token(index)
            arguments = {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
            yield self._chunk(arguments if self._said.tool_call else {"content": piece})
        yield self._chunk({}, self._said.finish_reason)
        if (self._body.get("stream_options") or {}).get("include_usage"):
            yield _event(self._envelope("chat.completion.chunk", []) | {"usage": self._usage()})
        yield b"data: [DONE]\n\n"

    def _chunk(self, delta: Mapping[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _event(self._envelope("chat.completion.chunk", [choice]))

    def _tool_call(self, arguments: str) -> dict[str, Any]:
        name = self._said.tool_call.name if self._said.tool_call else ""
        function = {"name": name, "arguments": arguments}
        return {"id": f"call_{self._id[-12:]}", "type": "function", "function": function}

    def _envelope(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": int(time.time()),
            "model": self._model.model,
            "system_fingerprint": "simulated",
            "choices": choices,
        }

    def _usage(self) -> dict[str, Any]:
        n_output_tokens = len(self._said.pieces) * (self._body.get("n") or 1)
        return {
            "prompt_tokens": self._n_input_tokens,
            "completion_tokens": n_output_tokens,
            "total_tokens": self._n_input_tokens + n_output_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
        }


def _event(document: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"


def _error(status: int, message: str) -> Response:
    error = {"message": message, "type": "invalid_request_error", "code": None, "param": None}
    return JSONResponse({"error": error}, status_code=status)


def main() -> None:
    """Serve what ``--config`` describes until standard input closes or a signal comes."""
    parser = argparse.ArgumentParser(description="simulated OpenAI-compatible providers on loopback")
    parser.add_argument("--config", required=True, help='JSON: {"models": [SimulatedModel ...], "port": 0}')
    config = json.loads(parser.parse_args().config)
    app = build_app([SimulatedModel(**model) for model in config["models"]])
    listener = socket.create_server(("127.0.0.1", config.get("port", 0)))
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    )

    def stop_with_parent() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        server.should_exit = True

    threading.Thread(target=stop_with_parent, daemon=True).start()
    print(json.dumps({"listening": f"http://127.0.0.1:{listener.getsockname()[1]}"}), flush=True)
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
