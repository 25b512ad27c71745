"""Text generation and translation: sampling, states kept between steps, search, files."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import Dense, Network
from chainrule.data.text import WordTokenizer
from chainrule.errors import DataError, ModelFileError, NotFittedError, ParameterError
from chainrule.optimizers import Adam
from chainrule.tasks import TextGenerator, Translator, next_token_probabilities, sample

TEXT = "to be or not to be, that is the question. " * 12


@pytest.fixture(scope="module")
def writer() -> TextGenerator:
    return TextGenerator(units=32, embedding=16, steps=16, epochs=25, batch_size=8, learning_rate=0.01, random_state=0).fit(
        TEXT
    )


@pytest.fixture(scope="module")
def translator() -> Translator:
    """Learns to say numbers the other way round."""
    words = ["one", "two", "three", "four"]
    pairs = [p for n in (2, 3, 4) for p in product(words, repeat=n)]
    model = Translator(
        units=48,
        embedding=24,
        dropout=0.0,
        label_smoothing=0.0,
        epochs=25,
        batch_size=16,
        learning_rate=0.01,
        random_state=0,
    )
    return model.fit([" ".join(p) for p in pairs], [" ".join(p[::-1]) for p in pairs])


# ------------------------------------------------------------ sampling


@given(
    st.lists(st.floats(-8, 8), min_size=1, max_size=9),
    st.floats(0.1, 5),
    st.one_of(st.none(), st.integers(1, 10)),
    st.one_of(st.none(), st.floats(0.01, 1)),
)
def test_probabilities_are_those_of_the_tokens_left(
    logits: list[float], temperature: float, k: int | None, top_p: float | None
) -> None:
    p = next_token_probabilities(logits, temperature=temperature, top_k=k, top_p=top_p)
    z = np.array(logits) / temperature
    full = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    assert p.sum() == pytest.approx(1) and (p >= 0).all()
    left = p > 0
    np.testing.assert_allclose(p[left], full[left] / full[left].sum(), rtol=1e-9)
    assert left.sum() <= (k or len(z)) and full[left].min() >= full[~left].max(initial=0) - 1e-15
    if top_p is not None and k is None:
        assert full[left].sum() >= min(top_p, 1) - 1e-9


def test_drawing_follows_the_probabilities() -> None:
    logits = np.log(np.array([[0.1, 0.6, 0.3]])).repeat(20000, axis=0)
    drawn = np.bincount(sample(logits, np.random.default_rng(0)), minlength=3) / 20000
    np.testing.assert_allclose(drawn, [0.1, 0.6, 0.3], atol=0.015)
    assert (sample(logits, np.random.default_rng(0), temperature=0) == 1).all()
    assert set(sample(logits, np.random.default_rng(0), top_k=2).tolist()) == {1, 2}


@pytest.mark.parametrize(
    "how", [{"temperature": -1}, {"temperature": float("nan")}, {"top_k": 0}, {"top_p": 0}, {"top_p": 1.5}, {"top_k": 1.5}]
)
def test_bad_ways_to_draw(writer: TextGenerator, how: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=next(iter(how))):
        writer.generate(3, **how)


# ------------------------------------------------------------ generation


def test_it_writes_what_it_has_read(writer: TextGenerator) -> None:
    assert writer.generate(20, prompt="be, that is", temperature=0) == "be, that is the question. to be"
    assert writer.nats(TEXT[:200])["per_character"] < 0.3


def test_states_kept_between_tokens_give_what_the_whole_text_gives(writer: TextGenerator) -> None:
    """Token by token, with states handed on, the logits are those of the network that reads all at once."""
    tokens = writer.tokenizer_.encode([TEXT[:40]])[0][None]
    whole = writer.network_.predict(tokens)
    states, steps = writer._first(1), []
    for t in range(tokens.shape[1]):
        logits, states = writer._read(tokens[:, t : t + 1], states)
        steps.append(logits[0, 0])
    np.testing.assert_allclose(np.array(steps), whole[0], rtol=1e-3, atol=1e-4)


def test_nats_are_those_of_the_text_in_one_piece(writer: TextGenerator) -> None:
    tokens = writer.tokenizer_.encode([TEXT[:400]])[0]
    z = writer.network_.predict(tokens[None, :-1])[0].astype(np.float64)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    expected = -log_p[np.arange(len(z)), tokens[1:]].mean()
    assert writer.nats(TEXT[:400])["per_token"] == pytest.approx(expected, rel=1e-3)


def test_equal_seeds_write_equal_texts(writer: TextGenerator) -> None:
    how: dict[str, Any] = {"prompt": "be", "temperature": 1.5, "random_state": 3}
    assert writer.generate(40, **how) == writer.generate(40, **how) == "".join(writer.stream(40, **how))
    assert writer.generate(40, **how) != writer.generate(40, **how | {"random_state": 4})
    assert writer.generate(0, prompt="be") == "be"


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_texts_with_ends(cell: str, tmp_path: Path) -> None:
    names = ["anna", "hannah", "ada", "eva", "ava"] * 8
    model = TextGenerator(cell=cell, units=24, depth=2, dropout=0.1, steps=8, epochs=20, learning_rate=0.02, random_state=0)
    model.fit(names)
    made = [model.generate(30, random_state=i) for i in range(5)]
    assert all(0 < len(name) < 12 for name in made)
    model.save(tmp_path / "names.chainrule")
    again = TextGenerator.load(tmp_path / "names.chainrule")
    assert [again.generate(30, random_state=i) for i in range(5)] == made and again == model


def test_byte_pairs_are_streamed_in_whole_characters() -> None:
    pytest.importorskip("tokenizers")
    model = TextGenerator("byte_pairs", units=8, steps=4, epochs=1, random_state=0).fit("é ü ñ 漢字 " * 20)
    for seed in range(3):
        told = "".join(model.stream(40, random_state=seed))
        assert model.generate(40, random_state=seed).startswith(told)


# ------------------------------------------------------------ translation


@pytest.mark.parametrize("beams", [1, 3])
def test_it_translates(translator: Translator, beams: int) -> None:
    found = translator.translate(["one two three", "four one", "three four two"], beams=beams)
    assert found == ["three two one", "one four", "two four three"]


def test_a_translation_does_not_depend_on_the_others(translator: Translator) -> None:
    sources = ["one two", "four four three", "two two", "three one four"]
    for beams in (1, 2):
        together = translator.translate(sources, beams=beams)
        assert together == [translator.translate([s], beams=beams)[0] for s in sources]


def test_more_beams_find_texts_at_least_as_likely(translator: Translator) -> None:
    """With noise on the weights the model is unsure, and greedy search is no longer the best."""

    def log_p(model: Translator, source: str, target: str) -> float:
        x, y = model.source_tokenizer_.encode([source]), model.target_tokenizer_.encode([target], start=True, end=True)[0]
        z = model.network_.predict([x.padded(dtype=np.int32), y[None, :-1]])[0].astype(np.float64)
        return float((z - np.log(np.exp(z).sum(axis=1, keepdims=True)))[np.arange(len(y) - 1), y[1:]].sum())

    import copy

    model = copy.deepcopy(translator)
    flat = model.network_.parameters.flat
    flat += np.random.default_rng(0).normal(0, 0.12, flat.shape).astype(flat.dtype)
    model._ready()
    sources = ["one two three", "four one two", "three three four", "two one", "four two three"]
    greedy, wide = (model.translate(sources, beams=b, length_penalty=0.0) for b in (1, 8))
    gains = [log_p(model, s, w) - log_p(model, s, g) for s, g, w in zip(sources, greedy, wide, strict=True) if g and w]
    assert min(gains) > -1e-3


def test_attention_looks_at_the_word_that_is_translated(translator: Translator) -> None:
    p = translator.attention("one two three", "three two one")
    assert p.shape == (4, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)


def test_bleu_and_files(translator: Translator, tmp_path: Path) -> None:
    pytest.importorskip("sacrebleu")
    sources = ["one two three four", "four three one two"]
    found = translator.translate(sources)
    assert translator.bleu(sources, found) == pytest.approx(100)
    translator.save(tmp_path / "t.chainrule")
    assert Translator.load(tmp_path / "t.chainrule").translate(sources, beams=2) == translator.translate(sources, beams=2)


# ------------------------------------------------------------ bad input


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match="Call fit"):
        TextGenerator().generate()
    with pytest.raises(NotFittedError, match="Call fit"):
        Translator().translate(["a"])
    with pytest.raises(DataError, match="5 tokens; with steps=128"):
        TextGenerator().fit("short")
    with pytest.raises(DataError, match=r"texts\[0\] is an empty text"):
        TextGenerator().fit("")
    with pytest.raises(ParameterError, match="cell"):
        TextGenerator(cell="rnn").fit(TEXT)
    with pytest.raises(ParameterError, match="dropout"):
        TextGenerator(dropout=1.0).fit(TEXT)
    with pytest.raises(DataError, match="sources has 2 texts but targets has 1"):
        Translator().fit(["a", "b"], ["c"])
    with pytest.raises(DataError, match=r"targets\[1\] is missing"):
        Translator().fit(["a", "b"], ["c", None])
    with pytest.raises(ParameterError, match="even"):
        Translator(units=3).fit(["a"], ["b"])
    Network([Dense(1)]).build(2).save(tmp_path / "n.chainrule")
    with pytest.raises(ModelFileError, match="holds no TextGenerator"):
        TextGenerator.load(tmp_path / "n.chainrule")


def test_a_pair_of_tokenizers_is_kept(tmp_path: Path) -> None:
    words = (WordTokenizer(min_count=1), WordTokenizer(min_count=1, lowercase=False))
    model = Translator(words, units=8, embedding=4, epochs=1, random_state=0).fit(["ein Haus"] * 4, ["A house"] * 4)
    assert model.target_tokenizer_.vocabulary_[4:] == ["A", "house"]
    model.save(tmp_path / "t.chainrule")
    again = Translator.load(tmp_path / "t.chainrule")
    assert again == model and again.translate(["ein Haus"]) == model.translate(["ein Haus"])


def test_the_optimizer_of_the_user_stays_as_it_is() -> None:
    optimizer = Adam(0.05)
    model = TextGenerator(units=4, embedding=2, steps=2, epochs=1, optimizer=optimizer, learning_rate=0.01, random_state=0)
    model.fit("ababab" * 3)
    assert optimizer == Adam(0.05) and model.network_.optimizer_ == Adam(0.01, clip_norm=1.0)


def test_bad_searches(translator: Translator) -> None:
    for how in ({"beams": 0}, {"beams": 1.5}, {"most": 0}, {"length_penalty": -1}):
        with pytest.raises(ParameterError, match=next(iter(how))):
            translator.translate(["one"], **how)  # type: ignore[arg-type]
    assert translator.translate(["one two"], most=1) == ["two"]
