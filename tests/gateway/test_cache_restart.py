"""`pointsman serve` as users run it: two workers on one cache folder, and one that is killed."""

import os
import signal
import time

import httpx

from pointsman.cli.demo.processes import Children, free_port, serve_command, wait_until_ready

from ..providers.servers import Server
from .test_cache import completion

CONFIG = """
cache: {{path: {folder}, audit_rate: 0}}
providers: {{up: {{base_url: "{url}/v1"}}}}
models: {{nano: {{quality: 0.5, context_window: 4000}}}}
deployments: [{{model: nano, provider: up, price_usd_per_mtok: {{input: 1, output: 1}}}}]
"""


def ask(port, number):
    body = {
        "model": "nano",
        "messages": [{"role": "user", "content": f"What comes after the number {number}?"}],
    }
    reply = httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, timeout=20)
    assert reply.status_code == 200, reply.text
    return reply.headers["x-pointsman-cache"]


def written(folder):
    return sum(file.stat().st_size for file in folder.glob("journal-*"))


def test_answers_outlive_a_killed_worker_and_a_second_one_never_fails(tmp_path):
    upstream, folder, config = (
        Server(lambda request: completion("One more.")),
        tmp_path / "cache",
        tmp_path / "p.yaml",
    )
    config.write_text(CONFIG.format(folder=folder, url=upstream.url))
    with Children() as children:

        def worker(name):
            port = free_port()
            child = children.start(name, serve_command(config, port))
            wait_until_ready(child, f"http://127.0.0.1:{port}/health/ready", 60)
            stats = httpx.get(f"http://127.0.0.1:{port}/v1/cache").json()
            return child, port, stats["folder"]["is_writable"]

        first, first_port, first_writes = worker("first")
        _, second_port, second_writes = worker("second")
        assert (first_writes, second_writes) == (True, False)
        for number in range(20):
            assert ask(first_port, number) == "miss"
            assert ask(second_port, number) == "miss"
        ends_s = time.monotonic() + 20
        while not written(folder) and time.monotonic() < ends_s:
            time.sleep(0.02)
        time.sleep(1.5)  # the promise: what is older than a second is on the disk
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait(10)
        n_asked = len(upstream.requests)
        _, third_port, third_writes = worker("third")
        assert third_writes
        assert {ask(third_port, number) for number in range(20)} == {"exact"}
        assert {ask(second_port, number) for number in range(20)} == {"exact"}
        assert len(upstream.requests) == n_asked
    upstream.close()
