"""``python -m benchmarks.squeezenet``: a pruned network that was not made here, sparse beside dense.

SqueezeNet 1.0 by Deep Compression (Iandola, Han et al. 2016): a third of its weights are not zero. Its scores are compared
with those that PyTorch gave for a photograph, and packed predictions, whose kernels are chosen by measurement, are timed in
turn with those of the dense network, on OMP_NUM_THREADS threads.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from chainrule.architectures.squeezenet import squeezenet, squeezenet_weights
from chainrule.training.timing import best_times

from .accuracy.data import FOLDER, load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=FOLDER, help="folder of the data sets")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 8], help="pictures that are predicted at once")
    parser.add_argument("--seconds", type=float, default=20, help="for each number of pictures")
    args = parser.parse_args()
    arrays = load(args.data, "squeezenet_imagenet/squeezenet_deep_compression.npz")
    reference = load(args.data, "squeezenet_imagenet/reference_china.npz")
    given, scores = (reference[name] for name in sorted(reference.files, key=lambda name: -reference[name].ndim)[:2])
    x = np.ascontiguousarray(given.reshape(-1, *given.shape[-3:]).transpose(0, 2, 3, 1)[..., ::-1], np.float32)
    net = squeezenet(1000, input_shape=x.shape[1:], random_state=0)
    squeezenet_weights(net, {name: arrays[name] for name in arrays.files if name != "classes"}, bgr=True)
    z = net.predict(x)
    packed = net.pack()
    found, wanted = (np.asarray(a, np.float64).reshape(-1) for a in (z, scores))
    if abs(wanted.sum() - 1) < 1e-3:
        found = np.exp(found - found.max()) / np.exp(found - found.max()).sum()
    largest = np.abs(wanted).max()
    print(f"scores: at most {np.abs(found - wanted).max() / largest:.1e} of the largest from PyTorch's; best class "
          f"{int(found.argmax())}, {int(wanted.argmax())} there")  # fmt: skip
    print(f"packed: at most {float(np.abs(packed.predict(x) - z).max() / np.abs(z).max()):.1e} of the largest from dense")
    print(packed)
    for batch in args.batches:
        many = np.repeat(x, batch, axis=0)
        dense, sparse = best_times([partial(net.predict, many), partial(packed.predict, many)], seconds=args.seconds)
        ops = [m.op for node in packed.plan(batch).nodes for m in node.attrs.get("nodes", [node])]
        chosen = sum(op.startswith("sparse_weight") for op in ops)
        print(f"batch {batch}: dense {1e3 * dense:.1f} ms, packed {1e3 * sparse:.1f} ms, {dense / sparse:.2f} times as "
              f"fast; sparse kernels in {chosen} of {chosen + ops.count('conv')} layers", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
