"""No part of a convolution falls to a kernel that is tens of times slower than another, whatever the processor.

oneDNN takes the instruction set it is held to from the environment when it is loaded, so each set has a process of its own,
which runs this file.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from chainrule.engine import get_engine
from chainrule.engine.onednn.calls import Call, Part, PrimitiveCall, ProductCall
from chainrule.engine.onednn.tasks import make_tasks
from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import EngineError
from chainrule.ops import Builder, Value
from chainrule.plan import Plan, optimise

try:
    get_engine("onednn")
except EngineError as error:
    pytest.skip(f"the onednn engine cannot be used here: {error}", allow_module_level=True)


def shapes(count: int, seed: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]]:
    """Convolutions of all kinds: 1 to 3 axes, sizes 1 to 64, groups, depthwise, strides, dilation; batches 1, 2, 3 and 8."""
    rng = np.random.default_rng(seed)

    def one(*options: int) -> int:
        return int(rng.choice(options))

    found = 0
    while found < count:
        axes, groups = one(1, 2, 2, 2, 2, 3), one(1, 1, 1, 1, 2, 4)
        inputs, outputs = groups * one(1, 2, 3, 4, 8, 16, 24, 64, 128), groups * one(1, 3, 8, 10, 16, 20, 32, 64, 128)
        if rng.random() < 0.15:
            groups = inputs = outputs = one(6, 8, 16, 32)
        largest = 10 if axes == 3 else 64
        spatial = tuple(int(rng.integers(1, largest + 1)) for _ in range(axes))
        if rng.random() < 0.5:
            spatial = (min(one(1, 2, 4, 7, 8, 14, 16, 28, 32, 64), largest),) * axes
        taps, stride, dilation = one(1, 2, 3, 3, 3, 4, 5, 7), one(1, 1, 1, 2, 3), one(1, 1, 1, 2)
        cover = dilation * (taps - 1) + 1
        padding = cover // 2 if rng.random() < 0.8 else 0
        if cover > min(spatial) + 2 * padding:
            continue
        window = {
            "stride": (stride,) * axes, "padding": ((padding, padding),) * axes, "dilation": (dilation,) * axes,
            "groups": groups,
        }  # fmt: skip
        found += 1
        yield (one(1, 2, 3, 8), *spatial, inputs), (*(taps,) * axes, inputs // groups, outputs), window


def passes(x: tuple[int, ...], w: tuple[int, ...], window: dict[str, Any]) -> Plan:
    """A convolution, its dx and its dW."""
    k = Builder()
    a, b = Value(x, "float", "input", "x"), Value(w, "float", "input", "w")
    y = k.relu(k.conv(a, b, **window))
    dx = k.conv_backward_data(y, b, spatial=x[1:-1], **window)
    dw = k.conv_backward_weights(a, y, kernel=w[:-2], **window)
    return optimise(Plan(k.nodes, {"x": a, "w": b}, {"y": y, "dx": dx, "dw": dw}, {}, k.scalars, 1))


def kernels_of(plan: Plan, threads: int) -> set[str]:
    """Names of all kernels of a plan's parts, also of any few samples of them (tasks that take turns)."""
    found = set()
    for task in make_tasks(plan.nodes, threads, list(plan.outputs.values())):
        if task.fallback:
            found.add(f"NumPy for {task.node.op}")
        for part in task.parts:
            for piece in [] if part is None else [part, *_cuts(part)]:
                for call in piece.calls:
                    if isinstance(call, PrimitiveCall):
                        made = call.make()
                        found.add(made.implementation if made.name.startswith("convolution") else made.name)
                    else:
                        found.add("product" if isinstance(call, ProductCall) else call.kernel)
    return found


def _cuts(part: Part) -> list[Part]:
    if part.cut is None:
        return []
    first, end = part.samples
    return [part.cut(first, first + n) for n in range(1, end - first)]


def walk(count: int) -> None:
    """Fails where a plan has a slow kernel."""
    bad = []
    for (x, w, window), threads in itertools.product(shapes(count, 0), (1, 2, 3)):
        slow = sorted(n for n in kernels_of(passes(x, w, window), threads) if "ref" in n or "gemm" in n or "NumPy" in n)
        if slow:
            bad.append(f"{x} with weights {w}, {window}, {threads} threads: {', '.join(slow)}")
    assert not bad, "\n".join(bad)


def agree(count: int) -> None:
    """Fails where the numbers are not those of the reference engine."""
    small = (case for case in shapes(10 * count, 1) if np.prod(case[0]) < 20_000)
    for i, (x, w, window) in enumerate(itertools.islice(small, count)):
        rng = np.random.default_rng(i)
        arrays = {"x": rng.normal(size=x).astype(np.float32), "w": (0.2 * rng.normal(size=w)).astype(np.float32)}
        plan = passes(x, w, window)
        wanted = ReferenceEngine("float64").compile(plan, {}).run(arrays)
        for threads in (1, 3):
            executable = get_engine("onednn", threads=threads).compile(plan, {})
            executable.temporaries.view(np.float32)[...] = np.nan
            for name, result in executable.run(arrays).items():
                size = max(1.0, float(np.abs(wanted[name]).max(initial=0)))
                np.testing.assert_allclose(result, wanted[name], rtol=1e-4, atol=2e-5 * size, err_msg=f"{name} of {x}, {w}")


@pytest.mark.slow
@pytest.mark.parametrize("isa", ["SSE41", "AVX2", "AVX512_CORE"])
def test_every_convolution_has_a_fast_kernel(isa: str) -> None:
    done = subprocess.run(
        [sys.executable, __file__], env=os.environ | {"ONEDNN_MAX_CPU_ISA": isa}, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_single_image_of_the_vgg_that_took_seconds() -> None:
    """oneDNN chooses blocks of 16 outputs for an image, but for halves of it has only its reference kernel with them."""
    window = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    for inputs, outputs, size in ((64, 64, 32), (64, 128, 16), (128, 128, 16), (128, 256, 8)):
        found = kernels_of(passes((1, size, size, inputs), (3, 3, inputs, outputs), window), 2)
        assert not any("ref" in name or "gemm" in name for name in found), found


def test_the_plan_says_which_convolutions_are_slow() -> None:
    window = {"stride": (1, 1), "padding": ((2, 2), (2, 2)), "dilation": (2, 2), "groups": 4}
    engine = get_engine("onednn")
    text = "\n".join(engine.explain(passes((8, 16, 16, 16), (3, 3, 4, 12), window)))
    assert "SLOW for its FLOPs" in text
    ordinary = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    assert "SLOW" not in "\n".join(engine.explain(passes((8, 16, 16, 16), (3, 3, 16, 32), ordinary)))


def test_windows_are_copied_where_oneDNN_has_no_kernel() -> None:
    """The name of every call is seen by these tests: a plan of copied windows shows them."""
    window = {"stride": (1, 1), "padding": ((2, 2), (2, 2)), "dilation": (2, 2), "groups": 4}
    found = kernels_of(passes((2, 16, 16, 16), (3, 3, 4, 12), window), 1)
    assert {"image_to_columns", "product"} <= found, found
    assert Call("image_to_columns", []).kernel in found


if __name__ == "__main__":
    walk(100)
    agree(15)
