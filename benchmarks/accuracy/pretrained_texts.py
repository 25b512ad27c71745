"""The polarity of 10,662 sentences of film reviews, by the pretrained MiniLM: frozen under a new last layer, or fine-tuned.

A quarter of the sentences, drawn by the seed, is held out. ``logistic`` is scikit-learn's logistic regression on the vectors
that the frozen MiniLM makes of the same sentences. ``--fine-tune`` lets the last blocks of the encoder learn, too, for two
epochs: the embeddings and the first blocks stay as they are, so their gradients and updates cost nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import NeuralClassifier
from chainrule.architectures import minilm, minilm_tokenizer
from chainrule.optimizers import AdamW
from chainrule.optimizers.schedules import Polynomial

from . import data


def main() -> None:
    parser = data.options(__doc__, seeds=3)
    parser.add_argument("--fine-tune", action="store_true", help="let blocks of the encoder learn, too")
    parser.add_argument("--blocks", type=int, default=2, help="how many of the six, from the last one on")
    parser.add_argument("--epochs", type=int, help="40 of the last layer, 2 of blocks")
    parser.add_argument("--few", type=int, help="only so many sentences, to try the command")
    args = parser.parse_args()
    texts, labels = [], []
    for label, part in enumerate(("neg", "pos")):
        found = [t for t in data.lines(args.data, f"sentence_polarity/rt-polarity.{part}.gz") if t.strip()]
        texts += found[: args.few and args.few // 2]
        labels += [label] * (len(texts) - len(labels))
    y = np.array(labels)
    verbose = 2 if args.verbose else 0
    tokens = minilm_tokenizer().encode(texts)
    vectors = None if args.fine_tune else minilm(pretrained=True).predict(tokens)

    def fine_tuned(seed: int, train: Any, test: Any) -> float:
        network = minilm(2, pretrained=True, random_state=seed)
        network.freeze("embeddings", *(f"block{i}" for i in range(6 - args.blocks)))
        epochs = args.epochs or 2
        rate = Polynomial(1e-4, total=epochs, unit="epochs")
        network.fit(
            tokens[train], y[train], epochs=epochs, batch_size=32, optimizer=AdamW(rate), verbose=verbose,
            learning_rate_factors={"classes": 10.0},
        )  # fmt: skip
        return float(network.evaluate(tokens[test], y[test])["accuracy"])

    def run(seed: int) -> dict[str, Any]:
        order = np.random.default_rng(seed).permutation(len(y))
        test, train = np.split(order, [len(y) // 4])
        beside: dict[str, Any] = {}
        if vectors is None:
            return {"accuracy": fine_tuned(seed, train, test)}
        from sklearn.linear_model import LogisticRegression

        model = NeuralClassifier(
            pretrained="minilm", epochs=args.epochs or 40, dropout=0.1, tolerance=None, random_state=seed, verbose=verbose
        )  # fmt: skip
        judge = LogisticRegression(max_iter=2000).fit(vectors[train], y[train])
        beside["logistic"] = float(judge.score(vectors[test], y[test]))
        model.fit([texts[i] for i in train], y[train])
        return {"accuracy": float(model.score([texts[i] for i in test], y[test])), **beside}

    data.each_seed(args, run, "accuracy")


if __name__ == "__main__":
    main()
