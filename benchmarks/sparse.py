"""``python -m benchmarks.sparse``: sparse weights against dense ones, of layers, convolutions, a pruned network and a
step of its training.

Columns are how many times as fast as the fastest dense product, by best times / by median times; see ``turns``.
"""

from __future__ import annotations

import argparse

import numpy as np

from chainrule import Dense, Network, ReLU
from chainrule.engine import get_engine
from chainrule.losses import SoftmaxCrossEntropy
from chainrule.network import Masked
from chainrule.ops import SparseMatrix
from chainrule.optimizers import Adam
from chainrule.sparsity import prune
from chainrule.training import Objective, Trainer

from .turns import Array, Run, dense_conv, dense_product, executable, main, onnx_network, ratios, take_turns

LAYERS = [(n, width, width) for width in (512, 1024, 2048) for n in (1, 32, 256)]
CONVOLUTIONS = [(1, 32, 64, 64, 3), (8, 32, 64, 64, 3), (8, 16, 128, 128, 3), (8, 8, 256, 256, 3), (8, 16, 256, 256, 1)]
SPARSITIES = (0.6, 0.8, 0.9, 0.95)


def drawn(shape: tuple[int, ...], sparsity: float, block: int, rng: np.random.Generator) -> Array:
    """Weights of which this share is zero, in blocks of neighbouring outputs."""
    kept = rng.random((*shape[:-1], shape[-1] // block)) >= sparsity
    return (rng.normal(size=shape) * np.repeat(kept, block, axis=-1)).astype(np.float32)


def layers(options: argparse.Namespace, rng: np.random.Generator) -> None:
    for n, inputs, outputs in LAYERS:
        x = rng.normal(size=(n, inputs)).astype(np.float32)
        for sparsity in SPARSITIES:
            sides = {}
            for name, block in (("sparse", 1), ("blocks of 4", 4)):
                w = drawn((inputs, outputs), sparsity, block, rng)
                matrix = SparseMatrix.of(w.T)
                sides[name] = executable(lambda k, a, m=matrix: k.sparse_weight_matmul(a, m), x, options.threads)
            runs = dense_product(x, w, options.threads) | sides
            np.testing.assert_allclose(runs["dense"](), runs["blocks of 4"](), rtol=1e-3, atol=1e-3)
            times = take_turns(runs, options.seconds, options.threads)
            text = ratios(times)
            print(f"{inputs:5} → {outputs:5} batch {n:4} {100 * sparsity:3.0f} % zeros: {text}", flush=True)


def convolutions(options: argparse.Namespace, rng: np.random.Generator) -> None:
    for n, size, channels, outputs, kernel in CONVOLUTIONS:
        x = rng.normal(size=(n, size, size, channels)).astype(np.float32)
        pad = kernel // 2
        window = {"kernel": (kernel,) * 2, "stride": (1, 1), "padding": ((pad, pad),) * 2, "dilation": (1, 1)}
        for sparsity in SPARSITIES:
            sides = {}
            for name, block in (("sparse", 1), ("blocks of 4", 4)):
                w = drawn((kernel, kernel, channels, outputs), sparsity, block, rng)
                matrix = SparseMatrix.of(w.reshape(-1, outputs).T)
                sides[name] = executable(
                    lambda k, a, m=matrix, g=window: k.sparse_weight_conv(a, m, **g), x, options.threads
                )
            runs = dense_conv(x, w, 1, options.threads) | sides
            np.testing.assert_allclose(runs["dense"](), runs["blocks of 4"](), rtol=1e-3, atol=1e-3)
            times = take_turns(runs, options.seconds, options.threads)
            text = ratios(times)
            shape = f"{n} × {size} × {size}, {channels} → {outputs}, {kernel} × {kernel}"
            print(f"{shape:34} {100 * sparsity:3.0f} % zeros: {text}", flush=True)


def network(options: argparse.Namespace, rng: np.random.Generator) -> None:
    """A pruned perceptron 784-1024-1024-10: dense, packed, and by ONNX Runtime."""
    net = Network([Dense(1024, bias=False), ReLU(), Dense(1024, bias=False), ReLU(), Dense(10, bias=False)], random_state=0)
    net.build((784,))
    for name, array in net.parameters.items():
        if array.shape[1] > 10:
            net.represent(name, Masked(rng.random(array.shape) >= 0.9))
    packed = net.pack()
    print(f"784-1024-1024-10, 90 % zeros: {packed!r}")
    weights = [np.array(w) for w in net.parameters.values()]
    for n in (1, 32, 256):
        x = rng.normal(size=(n, 784)).astype(np.float32)
        steps = [("Gemm", {}, weights[0]), ("Relu", {}, None), ("Gemm", {}, weights[1]), ("Relu", {}, None)]
        runs = {"dense": lambda x=x: net.predict(x), "packed": lambda x=x: packed.predict(x)}
        runs |= onnx_network([*steps, ("Gemm", {}, weights[2])], x, options.threads)
        times = take_turns(runs, 4 * options.seconds, options.threads)
        print(f"    batch {n:4}: {ratios(times)}", flush=True)


def training(options: argparse.Namespace, rng: np.random.Generator) -> None:
    """A step of the perceptron 784-1024-1024-10 with Adam: dense, and with masks of whose zeros it knows."""
    n = 128
    data = {"x0": rng.normal(size=(n, 784)).astype(np.float32), "y0": rng.integers(0, 10, n).astype(np.int32)}
    runs = {}
    for sparsity in (0.0, 0.8, 0.9, 0.95):
        net = Network([Dense(1024), ReLU(), Dense(1024), ReLU(), Dense(10)], random_state=0).build((784,))
        if sparsity:
            net = prune(net, sparsity, scope="layer")
        runs["dense" if not sparsity else f"{100 * sparsity:.0f} % zeros"] = _step(net, data, options.threads)
    print(
        f"784-1024-1024-10, step of {n} samples: {ratios(take_turns(runs, 8 * options.seconds, options.threads))}",
        flush=True,
    )


def _step(net: Network, data: dict[str, Array], threads: int) -> Run:
    """One step after another on the same samples."""
    trainer = Trainer(net, Objective([SoftmaxCrossEntropy()]), Adam(1e-4), engine=get_engine("onednn", threads=threads))
    executable = trainer.executable(len(data["x0"])).executable
    return lambda: executable.run_steps(data, None, trainer.scalars(1), steps=1)


if __name__ == "__main__":
    main(__doc__, layers, convolutions, network, training)
