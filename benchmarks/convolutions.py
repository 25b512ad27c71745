"""The time of every pass of a convolution beside its FLOPs, so that a slow kernel shows.

``python -m benchmarks.convolutions`` prints GFLOP/s of one thread by kernel (least, median), then the slowest cases.
Hold oneDNN to another instruction set with ONEDNN_MAX_CPU_ISA=SSE41 (or AVX2). Repeats are short and the best counts, so
other programs disturb little.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.engine import get_engine
from chainrule.ops import Builder, Value
from chainrule.ops.table import node_flops
from chainrule.plan import Plan

Window = dict[str, Any]


def cases(rng: np.random.Generator, count: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], Window]]:
    """Shapes of images and weights, and windows, as networks have them and as they do not."""

    def one(*options: int) -> int:
        return int(rng.choice(options))

    for _ in range(count):
        groups = one(1, 1, 1, 1, 2, 4)
        inputs, outputs = groups * one(1, 3, 4, 8, 16, 32, 64, 128), groups * one(1, 3, 8, 16, 20, 32, 64, 128)
        if rng.random() < 0.2:
            groups = inputs = outputs = one(3, 8, 16, 20, 32)
        size, taps = one(4, 7, 8, 14, 16, 28, 32, 64), one(1, 3, 3, 3, 5, 7)
        stride, dilation = one(1, 1, 1, 2), one(1, 1, 1, 2)
        cover = dilation * (taps - 1) + 1
        window = {
            "stride": (stride,) * 2, "padding": ((cover // 2,) * 2,) * 2, "dilation": (dilation,) * 2, "groups": groups,
        }  # fmt: skip
        yield (one(1, 2, 8), size, size, inputs), (taps, taps, inputs // groups, outputs), window


def single(kind: str, x: tuple[int, ...], w: tuple[int, ...], window: Window) -> Plan:
    """A plan of one pass alone."""
    k = Builder()
    a, b = Value(x, "float", "input", "x"), Value(w, "float", "input", "w")
    y = Builder().conv(a, b, **window)
    dy = Value(y.shape, "float", "input", "dy")
    if kind == "forward":
        return Plan(k.nodes, {"x": a, "w": b}, {"y": k.conv(a, b, **window)}, {}, k.scalars, 1)
    if kind == "data":
        out = k.conv_backward_data(dy, b, spatial=x[1:-1], **window)
        return Plan(k.nodes, {"dy": dy, "w": b}, {"dx": out}, {}, k.scalars, 1)
    out = k.conv_backward_weights(a, dy, kernel=w[:-2], **window)
    return Plan(k.nodes, {"x": a, "dy": dy}, {"dw": out}, {}, k.scalars, 1)


def best_time(plan: Plan, threads: int, repeats: int) -> float:
    executable = get_engine("onednn", threads=threads).compile(plan, {})
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=v.shape).astype(np.float32) for name, v in plan.inputs.items()}
    best = np.inf
    for _ in range(repeats + 1):
        start = time.perf_counter()
        executable.run(inputs)
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--slowest", type=int, default=15, help="how many cases to list")
    options = parser.parse_args()
    engine = get_engine("onednn", threads=options.threads)
    print({k: v for k, v in engine.describe().items() if k in ("library", "instruction set")})
    rows = []
    for x, w, window in cases(np.random.default_rng(options.seed), options.cases):
        for kind in ("forward", "data", "weights"):
            plan = single(kind, x, w, window)
            flops = node_flops(plan.nodes[0])
            if not 1e6 < flops < 3e9:
                continue
            name = engine.explain(plan)[1].split(": ", 1)[1].split(",")[0]
            rate = flops / best_time(plan, options.threads, 4) / 1e9
            rows.append((rate, kind, name, f"{x} by {w}, stride {window['stride'][0]}, dilation {window['dilation'][0]}"))
    by_kernel = defaultdict(list)
    for rate, kind, name, _ in rows:
        by_kernel[kind, name].append(rate)
    print(f"{'pass':8} {'kernel':60} cases  GFLOP/s: least  median")
    for (kind, name), rates in sorted(by_kernel.items()):
        print(f"{kind:8} {name[:60]:60} {len(rates):5}  {min(rates):14.1f}  {np.median(rates):6.1f}")
    print("the slowest")
    for rate, kind, name, text in sorted(rows)[: options.slowest]:
        print(f"{rate:6.1f}  {kind:8} {name[:40]:40} {text}")


if __name__ == "__main__":
    main()
