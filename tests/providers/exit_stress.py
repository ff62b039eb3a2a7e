"""Start processes that use a provider and leave in an awkward way; print how each ended.

    python -m tests.providers.exit_stress N TRANSPORT MODE

MODE: `inflight` leaves with a request under way, `cancelled` with one just cancelled, `stream` inside a stream,
`unclosed` without closing, `closed` properly. Prints one JSON object: {"n", "failed", "returncodes", "stderr"}.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import AsyncExitStack

from tests.providers.servers import STREAM_HEAD, Request, Server, answer, chunked

COMPLETION = b'{"choices": [{"message": {}}]}'
EVENT = b'data: {"choices": []}\n\n'


def slow_server() -> Server:
    """Answers after a few milliseconds: about when a process that leaves is being taken down."""
    served = threading.local()

    def handle(request: Request) -> bytes:
        served.n = getattr(served, "n", 0) + 1
        time.sleep(served.n % 7 / 1000)
        if b'"stream":true' in request.body:
            request.send(STREAM_HEAD + chunked(EVENT, end=False))
            time.sleep(0.01)
            return chunked(EVENT, b"data: [DONE]\n\n")
        return answer(COMPLETION)

    return Server(handle)


def child(base_url: str, transport: str, mode: str) -> None:
    from pointsman.providers import ProviderCall, ProviderSettings, build_provider

    provider = build_provider(ProviderSettings(name="p", base_url=base_url, transport=transport))  # type: ignore[arg-type]
    call = ProviderCall(upstream_model="m", body={"messages": []})
    kept = []

    async def main() -> None:
        await provider.complete(call)
        if mode == "closed":
            await provider.aclose()
        if mode in ("inflight", "cancelled"):
            kept.append(asyncio.create_task(provider.complete(call)))
            await asyncio.sleep(0.001)
        if mode == "cancelled":
            kept[0].cancel()
        if mode == "stream":
            stack = AsyncExitStack()
            stream = await stack.enter_async_context(provider.stream(call))
            await anext(aiter(stream))
            kept.append(stack)

    asyncio.run(main())


def stress(n: int, transport: str, mode: str) -> dict[str, object]:
    server = slow_server()
    arguments = [sys.executable, "-m", "tests.providers.exit_stress", "--child", server.url, transport, mode]
    returncodes: Counter[int] = Counter()
    stderr = ""
    for first in range(0, n, 4):
        batch = [
            subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
            for _ in range(min(4, n - first))
        ]
        for process in batch:
            _, said = process.communicate(timeout=60)
            returncodes[process.returncode] += 1
            stderr = said if process.returncode else stderr
    server.close()
    return {
        "n": n,
        "failed": n - returncodes[0],
        "returncodes": {str(code): count for code, count in returncodes.items()},
        "stderr": stderr[-2000:],
    }


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        child(*sys.argv[2:])
    else:
        print(json.dumps(stress(int(sys.argv[1]), *sys.argv[2:])))
