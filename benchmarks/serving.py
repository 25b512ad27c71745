"""A served model under load: requests a second, how long they take, errors, and the memory of the server.

    python -m benchmarks.serving --seconds 60 --clients 64 --rate 500

The server is a process of its own, and the clients are coroutines of this one, so both share the processors of the machine.
With --rate 0 every client sends its next request as soon as it has its answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil

FEATURES = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--rate", type=float, default=500, help="requests a second of all clients together, 0 for no limit")
    parser.add_argument("--rows", type=int, default=1, help="samples of one request")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "mlp.chainrule"
        _save_model(place)
        server = subprocess.Popen(
            [sys.executable, "-m", "chainrule", "serve", str(place), "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split(" at http://")[1].split("/")[0]
            host, port = address.split(":")
            return asyncio.run(_load(host, int(port), psutil.Process(server.pid), given))
        finally:
            server.terminate()
            server.wait()


def _save_model(place: Path) -> None:
    from chainrule import Dense, Network, ReLU

    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, FEATURES)).astype(np.float32)
    net = Network([Dense(64), ReLU(), Dense(32), ReLU(), Dense(3)], random_state=0)
    net.fit(X, (X[:, 0] > 0).astype(int), epochs=1, verbose=0)
    net.save(place)


async def _load(host: str, port: int, process: psutil.Process, given: argparse.Namespace) -> int:
    rng = np.random.default_rng(1)
    body = json.dumps({"data": rng.normal(size=(given.rows, FEATURES)).round(4).tolist()}).encode()
    request = (
        f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    took: list[float] = []
    statuses: Counter[str] = Counter()
    memory: list[tuple[float, float]] = []
    begun = time.perf_counter()
    end = begun + given.seconds
    pause = given.clients / given.rate if given.rate else 0.0

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        due = begun + number * pause / given.clients
        while (now := time.perf_counter()) < end:
            if pause:
                await asyncio.sleep(max(0.0, due - now))
                due = max(due + pause, time.perf_counter() - pause)
            asked = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            took.append(time.perf_counter() - asked)
            statuses[head.split(b" ", 2)[1].decode()] += 1
        writer.close()

    async def watch() -> None:
        while time.perf_counter() < end:
            memory.append((time.perf_counter() - begun, process.memory_info().rss / 2**20))
            await asyncio.sleep(1)

    processor = process.cpu_times()
    await asyncio.gather(watch(), *(client(i) for i in range(given.clients)))
    seconds = time.perf_counter() - begun
    used = process.cpu_times()
    milliseconds = np.percentile(took, [50, 95, 99, 100]) * 1000
    print(f"{os.cpu_count()} processors, {given.clients} clients, {given.rows} row(s) a request, {seconds:.1f} s")
    print(f"{len(took) / seconds:,.0f} requests a second; statuses {dict(statuses)}")
    print(
        "milliseconds: " + ", ".join(f"{p} {v:.1f}" for p, v in zip(("p50", "p95", "p99", "max"), milliseconds, strict=True))
    )
    share = (used.user + used.system - processor.user - processor.system) / seconds
    print(f"processor time of the server: {share:.2f} of one core, {share * seconds / len(took) * 1e6:.0f} µs a request")
    quarter = max(1, len(memory) // 4)
    first, last = memory[quarter][1], memory[-1][1]
    print(f"memory of the server: {memory[0][1]:.0f} MiB at first, {first:.0f} after a quarter, {last:.0f} MiB at the end")
    return 0 if set(statuses) == {"200"} else 1


if __name__ == "__main__":
    sys.exit(main())
