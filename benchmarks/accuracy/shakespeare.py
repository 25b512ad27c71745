"""A language model of characters on tiny Shakespeare: nats per character on the last tenth, which it has never read.

1,115,394 characters; LSTM layers of 256 units. Prints a text that it writes.
"""

from __future__ import annotations

from typing import Any

from chainrule.optimizers.schedules import Cosine
from chainrule.tasks import TextGenerator

from . import data


def main() -> None:
    parser = data.options(__doc__, seeds=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--save", help="file for the model of the last seed")
    args = parser.parse_args()
    text = "\n".join(data.lines(args.data, "tinyshakespeare/input.txt.gz")) + "\n"
    cut = len(text) * 9 // 10

    def run(seed: int) -> dict[str, Any]:
        model = TextGenerator(
            units=args.units,
            depth=args.depth,
            dropout=args.dropout,
            epochs=args.epochs,
            steps=64,
            batch_size=32,
            learning_rate=Cosine(0.004, total=args.epochs, unit="epochs"),
            random_state=seed,
            verbose=2 if args.verbose else 0,
        ).fit(text[:cut])
        found = model.nats(text[cut:])
        print(model.generate(400, prompt="ROMEO:\n", temperature=0.7, random_state=seed), flush=True)
        if args.save:
            model.save(args.save)
        return {"nats": found["per_character"]}

    data.each_seed(args, run, "nats")


if __name__ == "__main__":
    main()
