"""What networks reach with few weights, or with weights of one bit, beside their dense twins of the same budget.

``--network lenet300`` is the perceptron 784-300-100-10 with 8 % of its weights, ``lenet5`` the convolutional network with
9 %, ``resnet20`` the residual network on CIFAR-10 with 10 %. Each is trained, then pruned gradually while it is trained
further; with ``--twin`` its dense twin is trained further for as many epochs. ``binary`` is a perceptron of three wide
layers whose weights and activations are signs. ``vgg`` is the convolutional network of Courbariaux et al. on CIFAR-10, six
convolutions of ``--width`` channels (128), twice and four times as many, and two dense layers, whose weights and activations
are signs; with ``--twin`` the same network of floats and ReLU is trained for as many epochs. The measure is the error on
the test pictures.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from chainrule import BatchNorm, BinaryConv2D, BinaryDense, Conv2D, Dense, Dropout, MaxPool2D, Network, ReLU, Sign
from chainrule.architectures import lenet5, resnet20
from chainrule.images import Augmentation, ImageData
from chainrule.layers import Flatten
from chainrule.optimizers import SGD, Adam, Cosine, OneCycle
from chainrule.sparsity import GradualPruning

from . import data

#: Share of zeros, epochs before the pruning and with it, and samples in a step.
SETUPS = {"lenet300": (0.92, 30, 60, 128), "lenet5": (0.91, 10, 25, 64), "resnet20": (0.9, 4, 6, 128)}


def main() -> None:
    parser = data.options(__doc__, seeds=3)
    parser.add_argument("--network", choices=(*SETUPS, "binary", "vgg"), default="lenet300")
    parser.add_argument("--sparsity", type=float, help="share of zeros")
    parser.add_argument("--epochs", type=int, help="epochs with pruning, or of the binary network")
    parser.add_argument("--units", type=int, default=2048, help="of each layer of the binary network")
    parser.add_argument("--width", type=int, default=128, help="channels of the first two convolutions of vgg")
    parser.add_argument("--twin", action="store_true", help="train the dense twin, too")
    parser.add_argument("--augment", action="store_true", help="digits moved by up to a pixel and turned by up to 5°")
    parser.add_argument("--few", type=int, help="only so many pictures, to try the command")
    args = parser.parse_args()
    of_colour = args.network in ("resnet20", "vgg")
    if of_colour:
        (x, y), (x_test, y_test) = data.cifar10(args.data, [("train", 50_000), ("test", 10_000)])
        mean, deviation = x.mean((0, 1, 2)), x.std((0, 1, 2))
        x, x_test = ((a - mean) / deviation for a in (x, x_test))
    else:
        x, y, x_test, y_test = data.mnist(args.data)
    x, y = x[: args.few], y[: args.few]
    source: tuple[Any, ...] = (x, y)
    if of_colour:
        source = (ImageData(x, y, augmentation=Augmentation(flip="horizontal", shift=4, fill="zero")),)
    elif args.augment:
        source = (ImageData(x, y, augmentation=Augmentation(shift=1, rotate=5, fill="zero")),)
    verbose = 2 if args.verbose else 0

    def error(net: Network) -> float:
        return 1 - net.evaluate(x_test, y_test, metrics="accuracy", batch_size=500)["accuracy"]

    def pruned(seed: int) -> dict[str, Any]:
        sparsity, before, epochs, batch = SETUPS[args.network]
        sparsity, epochs = args.sparsity or sparsity, args.epochs or epochs
        steps = -(-len(x) // batch)
        net, optimizer = _network(args.network, seed), _optimizer(args.network)
        fit = {"batch_size": batch, "metrics": (), "verbose": verbose}
        net.fit(*source, optimizer=optimizer(OneCycle(_RATES[args.network], total=steps * before)), epochs=before, **fit)
        rate, beside = OneCycle(_RATES[args.network], total=steps * epochs), {}
        if args.twin:
            twin = copy.deepcopy(net)
            twin.fit(*source, optimizer=optimizer(copy.deepcopy(rate)), epochs=epochs, **fit)
            beside = {"dense": error(twin)}
        schedule = GradualPruning(sparsity, begin=0.0, end=0.5 * epochs, every=max(1, steps // 8))
        net.fit(*source, optimizer=optimizer(rate), epochs=epochs, callbacks=[schedule], **fit)
        return {"sparsity": net.sparsity().sparsity, "error": error(net), **beside}

    def binary(seed: int) -> dict[str, Any]:
        layers: list[Any] = [Flatten()]
        for i in range(3):
            # Changed pictures take the place of dropout.
            first = [Dropout(0.2)] if i == 0 and not args.augment else []
            layers += [*first, BinaryDense(args.units), BatchNorm(), Sign()]
        net = Network([*layers, BinaryDense(10), BatchNorm()], random_state=seed)
        epochs, batch = args.epochs or 40, 100
        # Batch normalisation takes out any shift and scale of the pixels.
        rate = Cosine(0.003, total=epochs, unit="epochs")
        net.fit(
            *source,
            loss="multi_class_hinge",
            optimizer=Adam(rate),
            epochs=epochs,
            batch_size=batch,
            metrics=(),
            verbose=verbose,
        )
        packed = net.pack()
        right = (packed.predict(x_test).argmax(1) == y_test).mean()
        return {"error": 1 - float(right), "bytes": packed.nbytes, "dense_bytes": packed.dense_nbytes}

    def vgg(seed: int) -> dict[str, Any]:
        """The binarised network, packed, and its twin of floats."""
        epochs, found = args.epochs or 60, {}
        for kind in ("binary", "float") if args.twin else ("binary",):
            net = _vgg(args.width, seed, kind == "binary")
            net.fit(
                *source,
                loss="multi_class_hinge" if kind == "binary" else "softmax_cross_entropy",
                optimizer=Adam(OneCycle(_RATES["vgg"], total=-(-len(x) // 100) * epochs)),
                epochs=epochs,
                batch_size=100,
                metrics=(),
                verbose=verbose,
            )
            if kind == "binary":
                packed = net.pack()
                right = [
                    (packed.predict(x_test[i : i + 500]).argmax(1) == y_test[i : i + 500])
                    for i in range(0, len(x_test), 500)
                ]
                found = {
                    "error": 1 - float(np.concatenate(right).mean()),
                    "bytes": packed.nbytes,
                    "dense_bytes": packed.dense_nbytes,
                }
                print(f"seed {seed}, binarised: error {found['error']:.4f}", flush=True)
            else:
                found["float"] = error(net)
        return found

    runs = {"binary": binary, "vgg": vgg}
    data.each_seed(args, runs.get(args.network, pruned), "error")


_RATES = {"lenet300": 0.003, "lenet5": 0.003, "resnet20": 0.2, "vgg": 0.003}


def _network(name: str, seed: int) -> Network:
    if name == "lenet300":
        wide = [Dense(300), ReLU(), Dropout(0.2), Dense(100), ReLU(), Dropout(0.1), Dense(10)]
        return Network([Flatten(), Dropout(0.1), *wide], random_state=seed)
    if name == "lenet5":
        return lenet5(activation="relu", pooling="max", random_state=seed)
    return resnet20(input_shape=(32, 32, 3), random_state=seed)


def _vgg(width: int, seed: int, binary: bool) -> Network:
    """(2 × 128C3)-MP2-(2 × 256C3)-MP2-(2 × 512C3)-MP2-(2 × 1024FC)-10 for ``width`` 128, of signs or of floats."""
    layers: list[Any] = []
    act: Any = Sign if binary else ReLU
    for channels in (width, 2 * width, 4 * width):
        for last in (False, True):
            conv = BinaryConv2D(channels, 3, padding="same") if binary else Conv2D(channels, 3, padding="same", bias=False)
            layers += [conv, *([MaxPool2D(2)] if last else []), BatchNorm(), act()]
    layers.append(Flatten())
    for units in (8 * width, 8 * width):
        layers += [BinaryDense(units) if binary else Dense(units, bias=False), BatchNorm(), act()]
    layers += [BinaryDense(10), BatchNorm()] if binary else [Dense(10)]
    return Network(layers, random_state=seed)


def _optimizer(name: str) -> Any:
    if name == "resnet20":
        return lambda rate: SGD(rate, momentum=0.9, l2=5e-4)
    return Adam


if __name__ == "__main__":
    main()
