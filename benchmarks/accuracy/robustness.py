"""Adversarial samples of MNIST: a network trained as usual, and one trained against PGD, attacked by FGSM and PGD.

Changes of at most 0.1 of the range of grey for each pixel. Trains on 20,000 pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from chainrule import Network
from chainrule.adversarial import FGSM, PGD, AdversarialBatches
from chainrule.architectures import lenet5

from . import data


def main() -> None:
    parser = data.options(__doc__, seeds=1)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--train", type=int, default=20_000, help="so many training pictures")
    parser.add_argument("--test", type=int, default=2_000, help="so many test pictures")
    parser.add_argument("--epsilon", type=float, default=0.1)
    parser.add_argument("--picture", type=Path, help="file for pictures that mislead the first network")
    args = parser.parse_args()
    x, y, x_test, y_test = data.mnist(args.data)
    x, y, x_test, y_test = x[: args.train], y[: args.train], x_test[: args.test], y_test[: args.test]
    attacks = {"fgsm": FGSM(args.epsilon), "pgd": PGD(args.epsilon, steps=20, random_state=0)}

    def run(seed: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for kind in ("usual", "robust"):
            net: Network = lenet5(activation="relu", pooling="max", input_shape=(28, 28, 1), random_state=seed)
            source: tuple[Any, ...] = (x, y)
            if kind == "robust":
                source = (AdversarialBatches(net, x, y, PGD(args.epsilon, steps=5, random_state=seed), batch_size=64),)
            net.fit(*source, epochs=args.epochs, batch_size=64, metrics="accuracy", verbose=2 if args.verbose else 0)
            found[kind] = net.evaluate(x_test, y_test)["accuracy"]
            for name, attack in attacks.items():
                moved = attack(net, x_test, y_test)
                found[f"{kind}_{name}"] = net.evaluate(moved, y_test)["accuracy"]
                if kind == "usual" and name == "pgd" and args.picture is not None:
                    _draw(net, x_test, moved, y_test, args.picture)
        return found

    data.each_seed(args, run, "robust_pgd")


def _draw(net: Network, x: np.ndarray, moved: np.ndarray, y: np.ndarray, path: Path) -> None:
    from chainrule.report import adversarial_picture

    before, after = net.predict(x).argmax(1), net.predict(moved).argmax(1)
    misled = np.flatnonzero((before == y) & (after != y))
    some = [misled[y[misled] == digit][0] for digit in (3, 4, 7) if (y[misled] == digit).any()]
    adversarial_picture(x[some], moved[some], path, before=before[some].tolist(), after=after[some].tolist())


if __name__ == "__main__":
    main()
