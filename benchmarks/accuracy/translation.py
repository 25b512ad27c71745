"""English to German on the captions of Multi30k with at most 12 words in each language: BLEU on the test captions.

About 17,000 pairs to learn from; those of test_2016_flickr with at most 12 words are the test. An encoder in both directions
and a decoder with attention, of 256 units. BLEU is sacrebleu's with its usual settings, case and punctuation included.
"""

from __future__ import annotations

from typing import Any

from chainrule.data.text import WordTokenizer
from chainrule.tasks import Translator

from . import data


def main() -> None:
    parser = data.options(__doc__, seeds=3)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--words", type=int, default=12, help="the longest sentences")
    args = parser.parse_args()

    def pairs(part: str) -> list[tuple[str, str]]:
        english, german = (data.lines(args.data, f"multi30k/{part}.{language}.gz") for language in ("en", "de"))
        fits = (len(a.split()) <= args.words and len(b.split()) <= args.words for a, b in zip(english, german, strict=True))
        return [(a, b) for a, b, fit in zip(english, german, fits, strict=True) if fit and a.strip() and b.strip()]

    train, test = pairs("train"), pairs("test_2016_flickr")
    print(f"{len(train):,} pairs to learn from, {len(test):,} to test on", flush=True)
    sources, references = [a for a, _ in test], [b for _, b in test]

    def run(seed: int) -> dict[str, Any]:
        # German nouns have capital letters, which count in BLEU.
        words = (WordTokenizer(), WordTokenizer(lowercase=False))
        model = Translator(words, epochs=args.epochs, random_state=seed, verbose=2 if args.verbose else 0)
        model.fit([a for a, _ in train], [b for _, b in train])
        for source, found in zip(sources[:4], model.translate(sources[:4], beams=5), strict=True):
            print(f"{source} | {found}", flush=True)
        return {"greedy": model.bleu(sources, references), "BLEU": model.bleu(sources, references, beams=5)}

    data.each_seed(args, run, "BLEU")


if __name__ == "__main__":
    main()
