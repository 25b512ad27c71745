"""Codes of an autoencoder of handwritten digits (MNIST), beside those of the principal component analysis.

error      784 → 30: the squared error of a test picture (Hinton and Salakhutdinov 2006: 3.0, and 13.9 of the analysis)
plane      784 → 2: how many test digits have the class of most of their five nearest neighbours in the plane of codes
anomalies  learned from all digits but one: ROC AUC of the squared error for that digit, beside an isolation forest
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

from chainrule import Autoencoder
from chainrule.optimizers import Cosine

from . import data

_MEASURES = {"error": "error", "plane": "accuracy", "anomalies": "auc"}


def main() -> None:
    parser = data.options(__doc__, seeds=1)
    parser.add_argument("what", choices=tuple(_MEASURES))
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--few", type=int, default=60_000, help="so many digits to learn from")
    parser.add_argument("--unlike", type=int, nargs="+", default=[0, 4, 8], help="anomalies: digits left out in turn")
    args = parser.parse_args()
    X, y, X_test, y_test = data.mnist(args.data)
    X, y = X[: args.few].reshape(-1, 784), y[: args.few]
    X_test = X_test.reshape(-1, 784)

    def autoencoder(code: int, hidden: list[int], seed: int, **more: Any) -> Autoencoder:
        return Autoencoder(
            code, hidden=hidden, epochs=args.epochs, learning_rate=Cosine(0.002, total=args.epochs, unit="epochs"),
            batch_size=128, tolerance=None, random_state=seed, verbose=2 * args.verbose, **more,
        )  # fmt: skip

    def error(seed: int) -> dict[str, float]:
        model, linear = autoencoder(30, [512, 256], seed).fit(X), PCA(30).fit(X)
        of_linear = X_test - linear.inverse_transform(linear.transform(X_test))
        return {
            "error": float(np.square(X_test - model.reconstruct(X_test)).sum(axis=1).mean()),
            "error of PCA": float(np.square(of_linear).sum(axis=1).mean()),
        }

    def plane(seed: int) -> dict[str, float]:
        model, linear = autoencoder(2, [512, 256, 64], seed).fit(X), PCA(2).fit(X)

        def accuracy(codes: Any, codes_test: Any) -> float:
            return float(KNeighborsClassifier(5).fit(codes, y).score(codes_test, y_test))

        return {
            "accuracy": accuracy(model.transform(X), model.transform(X_test)),
            "accuracy of PCA": accuracy(linear.transform(X), linear.transform(X_test)),
        }

    def anomalies(seed: int) -> dict[str, float]:
        of_model, of_forest = [], []
        for digit in args.unlike:
            model = autoencoder(16, [256], seed).fit(X[y != digit])
            forest = IsolationForest(random_state=seed).fit(X[y != digit])
            of_model.append(roc_auc_score(y_test == digit, -model.score_samples(X_test)))
            of_forest.append(roc_auc_score(y_test == digit, -forest.score_samples(X_test)))
        return {"auc": float(np.mean(of_model)), "auc of isolation forest": float(np.mean(of_forest))}

    data.each_seed(args, {"error": error, "plane": plane, "anomalies": anomalies}[args.what], _MEASURES[args.what])


if __name__ == "__main__":
    main()
