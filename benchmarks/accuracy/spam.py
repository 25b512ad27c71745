"""Which of 5,574 short messages are spam (SMS Spam Collection). The measure is F1 of spam on a fixed fifth.

A vector for each word, a convolution over three words, the largest value of each channel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import Conv1D, Dense, Dropout, GlobalMaxPool, NeuralClassifier, ReLU
from chainrule.metrics import F1

from . import data


def main() -> None:
    args = data.options(__doc__, seeds=3).parse_args()
    rows = [line.split("\t", 1) for line in data.lines(args.data, "sms_spam/sms.tsv.gz")]
    y, X = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], object)
    order = np.random.default_rng(0).permutation(len(y))
    test, train = order[: len(y) // 5], order[len(y) // 5 :]

    def run(seed: int) -> dict[str, Any]:
        layers = [Dropout(0.5), Conv1D(64, 3, padding="same"), ReLU(), GlobalMaxPool(), Dropout(0.5), Dense(1)]
        model = NeuralClassifier(
            layers=layers, epochs=40, early_stopping=True, patience=5, random_state=seed, verbose=2 if args.verbose else 0
        ).fit(X[train], y[train])
        spam = (y[test] == "spam").astype(np.int64)
        return {"F1": float(F1()(spam, (model.predict(X[test]) == "spam").astype(np.float64)))}

    data.each_seed(args, run, "F1")


if __name__ == "__main__":
    main()
