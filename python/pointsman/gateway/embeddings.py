"""`POST /v1/embeddings`: OpenAI's embeddings, passed through to a deployment of the model that is named."""

from __future__ import annotations

from pointsman.gateway.asgi import ClientWatch, send_json
from pointsman.gateway.endpoint import Exchange, RoutedEndpoint
from pointsman.gateway.headers import embedding_headers


class EmbeddingsEndpoint(RoutedEndpoint):
    """Embeddings; the model is the caller's choice."""

    async def answer(self, exchange: Exchange) -> None:
        """Call the model, and pass its answer on."""
        _, body = await exchange.read()
        with ClientWatch(exchange.receive):
            made = await exchange.router.run_embedding(body, exchange.started_s, key=exchange.key)
        await send_json(exchange.send, 200, made.body, embedding_headers(made))
