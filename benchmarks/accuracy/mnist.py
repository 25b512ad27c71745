"""MNIST: a LeNet-5, or a small VGG with shifted and turned digits.

``--network lenet5`` (61,706 weights, ReLU and max pooling, 10 epochs) aims at 99.2 %, ``--network vgg`` at 99.5 %.
LeNet-5 may be given changed digits, too: ``--augment``.
"""

from __future__ import annotations

from typing import Any

from chainrule.architectures import lenet5, vgg_small
from chainrule.images import Augmentation, ImageData
from chainrule.optimizers import Adam, OneCycle

from . import data


def main() -> None:
    parser = data.options(__doc__, seeds=3)
    parser.add_argument("--network", choices=("lenet5", "vgg"), default="lenet5")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument(
        "--augment", action="store_true", help="lenet5 on digits moved by up to a pixel and turned by up to 5°"
    )
    parser.add_argument("--few", type=int, help="only so many pictures, to try the command")
    args = parser.parse_args()
    x, y, x_test, y_test = data.mnist(args.data)
    x, y = x[: args.few], y[: args.few]

    def run(seed: int) -> dict[str, Any]:
        batch = 64
        total = -(-len(x) // batch) * args.epochs
        if args.network == "lenet5":
            net = lenet5(activation="relu", pooling="max", random_state=seed)
            source: tuple[Any, ...] = (x, y)
            if args.augment:
                source = (ImageData(x, y, augmentation=Augmentation(shift=1, rotate=5, fill="zero")),)
        else:
            net = vgg_small(stages=((16, 16), (32, 32), (64,)), random_state=seed)
            source = (ImageData(x, y, augmentation=Augmentation(shift=2, rotate=10, zoom=0.1, fill="zero")),)
        net.fit(
            *source,
            optimizer=Adam(OneCycle(0.003, total=total), weight_decay=0.01 if args.network == "vgg" else 0.0),
            epochs=args.epochs,
            batch_size=batch,
            metrics=(),
            verbose=2 if args.verbose else 0,
        )
        return {"accuracy": net.evaluate(x_test, y_test, metrics="accuracy")["accuracy"]}

    data.each_seed(args, run, "accuracy")


if __name__ == "__main__":
    main()
