"""What the benchmarks of compressed weights share: contenders that take turns, and the dense peers.

Contenders run one after the other, many times, so that what else the machine does disturbs all alike; each once before it is
timed, so that its weights are in the cache as far as they fit. Ratios are of the best and of the median times, against the
fastest of the dense contenders (oneDNN, PyTorch, ONNX Runtime). On one thread (``--threads 1``) the time is the processor's
for this process, so that a shared machine's other programs count only by what they do to the caches.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.engine import get_engine
from chainrule.ops import Builder, Value
from chainrule.plan import Plan, optimise

Array = NDArray[Any]
Run = Callable[[], Any]


def take_turns(runs: Mapping[str, Run], seconds: float, threads: int) -> dict[str, list[float]]:
    """The times of each run, in turn, until this many seconds are over; the first of each is left out."""
    clock = time.process_time if threads == 1 else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or min(map(len, times.values())) < 3:
        for name, run in runs.items():
            run()
            start = clock()
            run()
            times[name].append(clock() - start)
    return times


DENSE = ("dense", "torch", "onnxruntime")


def ratios(times: Mapping[str, Sequence[float]]) -> str:
    """How many times as fast as the fastest dense contender each other one is: by best times / by median times."""
    best, median = ({name: f(found) for name, found in times.items()} for f in (min, statistics.median))
    base = min((name for name in best if name in DENSE), key=lambda name: best[name])
    others = [name for name in best if name not in DENSE]
    found = [f"{n} {best[base] / best[n]:6.2f} / {median[base] / median[n]:6.2f}" for n in others]
    dense = ", ".join(f"{name} {1e6 * best[name]:.0f} us" for name in DENSE if name in best)
    return "  ".join(found) + f"    ({dense})"


def executable(
    emit: Callable[[Builder, Value], Value], x: Array, threads: int, weights: Mapping[str, Array] | None = None
) -> Run:
    """A plan of what ``emit`` emits for x, ready to run; weights : arrays that ``parameter`` gives values of"""
    k, given = Builder(training=False), Value(x.shape, "int" if x.dtype.kind == "i" else "float", "input", "x0")
    arenas = {name: Value((w.size,), role="arena", name=name) for name, w in (weights or {}).items()}
    k.weights = {n: Value(w.shape, role="parameter", name=n, base=arenas[n]) for n, w in (weights or {}).items()}  # type: ignore[attr-defined]
    plan = optimise(Plan(k.nodes, {"x0": given}, {"output0": emit(k, given)}, arenas, k.scalars, x.shape[0]))
    arrays = {name: np.ascontiguousarray(w).reshape(-1) for name, w in (weights or {}).items()}
    compiled = get_engine("onednn", threads=threads).compile(plan, arrays)
    return lambda: compiled.predict(x)


def dense_product(x: Array, w: Array, threads: int) -> dict[str, Run]:
    """x W by oneDNN and, where they are installed, PyTorch and ONNX Runtime."""
    runs = {"dense": executable(lambda k, a: k.matmul(a, k.weights["w"]), x, threads, {"w": w})}  # type: ignore[attr-defined]
    runs |= _torch(lambda torch, a, b: a @ b, x, w, threads)
    return runs | onnx_network([("Gemm", {}, w)], x, threads)


def dense_conv(x: Array, w: Array, stride: int, threads: int) -> dict[str, Run]:
    """The convolution of images (N, H, W, C) with "same" padding of a 3 × 3 kernel, or none of a 1 × 1 kernel."""
    pad = w.shape[0] // 2
    window: dict[str, Any] = {"stride": (stride,) * 2, "padding": ((pad, pad),) * 2, "dilation": (1, 1)}
    runs = {"dense": executable(lambda k, a: k.conv(a, k.weights["w"], **window), x, threads, {"w": w})}  # type: ignore[attr-defined]
    first, kernel = np.ascontiguousarray(x.transpose(0, 3, 1, 2)), np.ascontiguousarray(w.transpose(3, 2, 0, 1))

    def convolve(torch: Any, a: Any, b: Any) -> Any:
        return torch.nn.functional.conv2d(a, b, stride=stride, padding=pad)

    runs |= _torch(convolve, first, kernel, threads, channels_last=True)
    attributes = {"strides": [stride] * 2, "pads": [pad] * 4}
    return runs | onnx_network([("Conv", attributes, kernel)], first, threads)


def _torch(
    compute: Callable[[Any, Any, Any], Any], x: Array, w: Array, threads: int, *, channels_last: bool = False
) -> dict[str, Run]:
    try:
        import torch
    except ImportError:
        return {}
    torch.set_num_threads(threads)
    a, b = torch.from_numpy(x), torch.from_numpy(w)
    if channels_last:
        a, b = (t.contiguous(memory_format=torch.channels_last) for t in (a, b))

    def run() -> Any:
        with torch.inference_mode():
            return compute(torch, a, b)

    return {"torch": run}


def onnx_network(layers: Sequence[tuple[str, dict[str, Any], Array | None]], x: Array, threads: int) -> dict[str, Run]:
    """A chain of ONNX ops (name, attributes, weights or None) by ONNX Runtime with all optimisations, if it is installed."""
    try:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return {}
    nodes, arrays, at = [], [], "x"
    for i, (op, attributes, w) in enumerate(layers):
        if w is not None:
            arrays.append(numpy_helper.from_array(w, f"w{i}"))
        nodes.append(helper.make_node(op, [at] if w is None else [at, f"w{i}"], [f"y{i}"], **attributes))
        at = f"y{i}"
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)
    result = helper.make_tensor_value_info(at, TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "network", [given], [result], arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return {"onnxruntime": lambda: session.run(None, {"x": x})[0]}


def main(doc: str | None, *parts: Callable[[argparse.Namespace, np.random.Generator], None]) -> None:
    """The command of a benchmark: runs its parts, or the one that ``--only`` names, each from the same random numbers."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each line")
    parser.add_argument("--only", choices=[part.__name__ for part in parts])
    options = parser.parse_args()
    for part in parts:
        if options.only in (None, part.__name__):
            part(options, np.random.default_rng(0))
