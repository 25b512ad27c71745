"""Digits that a generative adversarial network makes of noise, judged by a LeNet-5 that has learned from MNIST.

With the class told to the generator, the judge should see the class that was asked for; without it, the ten classes should
have about equal shares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from chainrule.architectures import get_architecture
from chainrule.images.writing import picture_lattice, write_picture
from chainrule.optimizers import Cosine
from chainrule.tasks.picture_generation.picture_generator import PictureGenerator

from . import data

#: Digits that are made to be judged.
_JUDGED = 5000


def main() -> None:
    parser = data.options(__doc__, seeds=1)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--width", type=int, default=32, help="channels of the largest level")
    parser.add_argument("--few", type=int, help="only so many digits to learn from, to try the command")
    parser.add_argument("--without-classes", action="store_true", help="do not tell the networks the classes")
    parser.add_argument("--picture", type=Path, help="file for ten made digits of each class")
    args = parser.parse_args()
    X, y, X_test, y_test = data.mnist(args.data)
    X, y = X[: args.few], y[: args.few]
    judge = get_architecture("lenet5")(10, input_shape=(28, 28, 1), random_state=0)
    judge.fit(X, y, loss="softmax_cross_entropy", optimizer="adam", epochs=6, batch_size=64,
              learning_rate=Cosine(0.002, total=6, unit="epochs"), verbose=0)  # fmt: skip
    right = float((judge.predict(X_test).argmax(axis=1) == y_test).mean())

    def run(seed: int) -> dict[str, Any]:
        model = PictureGenerator(width=args.width, epochs=args.epochs, random_state=seed, verbose=int(args.verbose))
        model.fit(X, None if args.without_classes else y)
        made = model.sample(_JUDGED, random_state=0)
        if args.picture is not None:
            write_picture(picture_lattice(made[:100], columns=10), args.picture)
        seen = judge.predict(made.astype(np.float32) / 255).argmax(axis=1)
        shares = np.bincount(seen, minlength=10) / len(seen)
        asked = {} if args.without_classes else {"as asked": float((seen == np.arange(_JUDGED) % 10).mean())}
        found = {**asked, "rarest": float(10 * shares.min()), "most frequent": float(10 * shares.max()), "judge": right}
        return {**found, "faults": [fault.name for fault in model.faults_]}

    data.each_seed(args, run, "rarest" if args.without_classes else "as asked")


if __name__ == "__main__":
    main()
