"""A graph convolutional network on Cora: which of seven fields a paper is of, from its words and citations.

140 of 2,708 papers have a label (the Planetoid split). Kipf and Welling's network and training: 16 hidden units, Dropout
of a half, Adam, 200 epochs. Their mean test accuracy is 0.815.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import Dropout, GraphConv, Network, ReLU, SparseMatrix
from chainrule.optimizers import Adam

from . import data


def main() -> None:
    parser = data.options(__doc__, seeds=10)
    parser.add_argument("--dense", action="store_true", help="features as a dense array, zeros and all")
    args = parser.parse_args()
    z = data.load(args.data, "planetoid/cora.npz")
    words = np.diff(z["indptr"])
    x = SparseMatrix(z["shape"], z["indptr"], z["indices"], np.repeat(1 / np.maximum(words, 1), words))
    graph = SparseMatrix.from_edges(z["edges"], nodes=x.shape[0])
    labels = z["labels"].astype(np.int64)

    def only(nodes: np.ndarray) -> np.ndarray:
        """The labels of these nodes, and -1 for all others."""
        y = np.full_like(labels, -1)
        y[nodes] = labels[nodes]
        return y

    train, validation, test = (only(z[f"{part}_idx"]) for part in ("train", "val", "test"))
    given: Any = x.to_dense().astype(np.float32) if args.dense else x

    def run(seed: int) -> dict[str, Any]:
        layers = [Dropout(0.5), GraphConv(16, graph), ReLU(), Dropout(0.5), GraphConv(7, graph)]
        net = Network(layers, random_state=seed)
        net.fit(given, train, optimizer=Adam(0.01, l2=5e-4), epochs=200, verbose=2 if args.verbose else 0)
        return {part: net.evaluate(given, y)["accuracy"] for part, y in (("validation", validation), ("test", test))}

    data.each_seed(args, run, "test")


if __name__ == "__main__":
    main()
