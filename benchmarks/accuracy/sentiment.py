"""Whether a sentence of a film review is positive or negative, without vectors learned elsewhere.

10,662 sentences (Pang and Lee 2005), half of each kind. A fixed tenth, drawn once, is the test; a tenth of the rest says
when to stop. A vector of 64 numbers for each word, their mean, one hidden layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import NeuralClassifier

from . import data


def main() -> None:
    args = data.options(__doc__, seeds=3).parse_args()
    texts, labels = [], []
    for kind in ("pos", "neg"):
        found = data.lines(args.data, f"sentence_polarity/rt-polarity.{kind}.gz")
        texts += found
        labels += [kind] * len(found)
    X, y = np.array(texts, object), np.array(labels)
    order = np.random.default_rng(0).permutation(len(y))
    test, train = order[: len(y) // 10], order[len(y) // 10 :]

    def run(seed: int) -> dict[str, Any]:
        model = NeuralClassifier(
            dropout=0.5, epochs=15, early_stopping=True, patience=3, random_state=seed, verbose=2 if args.verbose else 0
        ).fit(X[train], y[train])
        return {"accuracy": float(model.score(X[test], y[test]))}

    data.each_seed(args, run, "accuracy")


if __name__ == "__main__":
    main()
