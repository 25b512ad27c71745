"""A residual network of 20 layers on CIFAR-10, in chainrule and in PyTorch: same start, same batches, same budget.

The pictures are shifted by up to 4 pixels and mirrored. Both train by SGD with momentum, one cycle of the learning rate, and
weight decay in the loss, on the same numbers in the same order; PyTorch computes the same graph of layers by its own
functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import Network
from chainrule.architectures import resnet20
from chainrule.images import Augmentation, ImageData
from chainrule.optimizers import SGD, OneCycle

from . import data

BATCH, PEAK, MOMENTUM, DECAY = 128, 0.2, 0.9, 5e-4


def in_pytorch(
    net: Network, pictures: ImageData, rates: np.ndarray, epochs: int, seed: int, x_test: Any, y_test: Any
) -> float:
    """Trains a copy of the network in PyTorch; the accuracy on the test pictures."""
    import torch
    import torch.nn.functional as F

    weights, states = {}, {}
    for name, value in net.parameters.items():
        # (kh, kw, in, out) is (out, in, kh, kw) there, (in, out) is (out, in).
        order = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[value.ndim]
        weights[name] = torch.tensor(value.transpose(order).copy(), requires_grad=True)
    for name, value in net.states.items():
        states[name] = torch.tensor(value.copy())

    def forward(x: Any, training: bool) -> Any:
        at = {net.input_ids[0]: x}
        for call in net.calls:
            a, kind = [at[i] for i in call.inputs], type(call.layer).__name__
            w = {n.rpartition(".")[2]: v for n, v in (weights | states).items() if n.rpartition(".")[0] == call.name}
            if kind == "Conv2D":
                y = F.conv2d(a[0], w["weight"], stride=call.layer.stride, padding=call.layer.padding)  # type: ignore[attr-defined]
            elif kind == "BatchNorm":
                running = w["running_mean"], w["running_var"]
                y = F.batch_norm(a[0], *running, w["gamma"], w["beta"], training, momentum=0.1, eps=1e-5)
            elif kind == "ReLU":
                y = F.relu(a[0])
            elif kind == "Add":
                y = a[0] + a[1]
            elif kind == "GlobalAveragePool":
                y = a[0].mean((2, 3))
            elif kind == "Dense":
                y = F.linear(a[0], w["weight"], w["bias"])
            else:
                raise NotImplementedError(kind)
            at[call.output] = y
        return at[net.output_ids[0]]

    def images(a: np.ndarray) -> Any:
        return torch.from_numpy(np.ascontiguousarray(a)).permute(0, 3, 1, 2)  # channels last in memory

    groups = [
        {"params": [v for n, v in weights.items() if n.endswith(".weight")], "weight_decay": DECAY},
        {"params": [v for n, v in weights.items() if not n.endswith(".weight")], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=PEAK, momentum=MOMENTUM)
    rng, step = np.random.default_rng(seed), 0
    for _ in range(epochs):
        for batch in pictures.batches(BATCH, rng):
            for group in optimizer.param_groups:
                group["lr"] = float(rates[step])
            optimizer.zero_grad()
            target = torch.from_numpy(batch.targets[0].astype(np.int64))
            F.cross_entropy(forward(images(batch.inputs[0]), True), target).backward()
            optimizer.step()
            step += 1
    with torch.no_grad():
        z = torch.cat([forward(images(x_test[i : i + 500]), False) for i in range(0, len(x_test), 500)]).numpy()
    return float((z.argmax(1) == y_test).mean())


def main() -> None:
    parser = data.options(__doc__, seeds=3)
    parser.add_argument("--library", choices=("chainrule", "pytorch"), default="chainrule")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--train", type=int, default=50_000, help="so many training pictures")
    parser.add_argument("--test", type=int, default=10_000, help="so many test pictures")
    args = parser.parse_args()
    (x, y), (x_test, y_test) = data.cifar10(args.data, [("train", args.train), ("test", args.test)])
    mean, deviation = x.mean((0, 1, 2)), x.std((0, 1, 2))
    x, x_test = ((a - mean) / deviation for a in (x, x_test))
    pictures = ImageData(x, y, augmentation=Augmentation(flip="horizontal", shift=4, fill="zero"))
    total = -(-len(x) // BATCH) * args.epochs
    rate = OneCycle(PEAK, total=total)

    def run(seed: int) -> dict[str, Any]:
        net = resnet20(input_shape=(32, 32, 3), random_state=seed)
        if args.library == "pytorch":
            rates = rate(np.arange(1.0, total + 1))
            return {"accuracy": in_pytorch(net, pictures, rates, args.epochs, seed, x_test, y_test)}
        rng = np.random.default_rng(seed)
        net.fit(
            lambda: ((batch.inputs[0], batch.targets[0]) for batch in pictures.batches(BATCH, rng)),
            optimizer=SGD(rate, momentum=MOMENTUM, l2=DECAY),
            epochs=args.epochs,
            metrics=(),
            verbose=2 if args.verbose else 0,
        )
        return {"accuracy": net.evaluate(x_test, y_test, metrics="accuracy", batch_size=500)["accuracy"]}

    data.each_seed(args, run, "accuracy")


if __name__ == "__main__":
    main()
