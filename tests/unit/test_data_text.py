"""Texts: checked, cut into tokens, numbered, and put together again."""

from __future__ import annotations

import copy
import json
import pickle
import unicodedata
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import NeuralClassifier
from chainrule.data.text import (
    BytePairTokenizer,
    CharacterTokenizer,
    LongTextWarning,
    Tokenizer,
    WordPieceTokenizer,
    WordTokenizer,
    as_texts,
    get_tokenizer,
    is_text,
)
from chainrule.data.unknown import UnknownValuesWarning
from chainrule.errors import (
    DataError,
    DtypeError,
    ModelFileError,
    NotFittedError,
    ParameterError,
    ShapeError,
    UnknownNameError,
)

TEXTS = ["The film was good.", "A dull film, badly acted!", "It isn't good; it's well-made."]
ALL = [CharacterTokenizer(), WordTokenizer(min_count=1), BytePairTokenizer(size=300)]


@pytest.mark.parametrize("tokenizer", ALL, ids=lambda t: t.name)
def test_a_tokenizer_comes_back_from_its_state(tokenizer: Tokenizer) -> None:
    if tokenizer.name == "byte_pairs":
        pytest.importorskip("tokenizers")
    fitted = copy.deepcopy(tokenizer).fit(TEXTS)
    state = json.loads(json.dumps(fitted.state()))
    for again in (Tokenizer.from_state(state), pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        assert again == fitted and again.vocabulary_ == fitted.vocabulary_ and len(again) == len(fitted)
        for text in (*TEXTS, "A film quite unseen: ünïcödé 12.5 %"):
            assert again.encode([text])[0].tolist() == fitted.encode([text])[0].tolist()


@given(st.text(min_size=1).filter(lambda t: t.strip() and "\x00" not in t))
def test_characters_and_byte_pairs_decode_to_what_was_encoded(text: str) -> None:
    tokenizers: list[Tokenizer] = [CharacterTokenizer().fit([text])]
    if pytest.importorskip("tokenizers"):
        tokenizers.append(BytePairTokenizer(size=260).fit(["abc"]))
    for tokenizer in tokenizers:
        assert tokenizer.decode(tokenizer.encode([text], start=True, end=True)[0]) == text


@pytest.mark.parametrize("tokenizer", ALL, ids=lambda t: t.name)
def test_the_names_of_special_tokens_are_text(tokenizer: Tokenizer) -> None:
    if tokenizer.name == "byte_pairs":
        pytest.importorskip("tokenizers")
    text = "say <end> and <padding>"
    fitted = copy.deepcopy(tokenizer).fit([text])
    assert fitted.encode([text])[0].min() > 3
    assert fitted.decode(fitted.encode([text])[0]).replace(" ", "") == text.replace(" ", "")


def test_rare_words_and_words_never_seen_are_unknown() -> None:
    tokenizer = WordTokenizer(max_words=2, min_count=2).fit(["a a a b b c c d", "a b"])
    assert tokenizer.vocabulary_[4:] == ["a", "b"]
    assert tokenizer.encode(["d a zebra"])[0].tolist() == [1, 4, 1]
    assert tokenizer.decode([2, 4, 5, 3, 4]) == "a b"


def test_start_and_end() -> None:
    encoded = WordTokenizer(min_count=1).fit(["a b"]).encode(["a b", "b"], start=True, end=True)
    assert [row.tolist() for row in encoded] == [[2, 4, 5, 3], [2, 5, 3]] and encoded.dtype == np.int32


@pytest.mark.parametrize(
    ("texts", "error", "says"),
    [
        ([], DataError, "0 texts"),
        (["a", ""], DataError, r"X\[1\] is an empty text"),
        (["a", " \n"], DataError, r"X\[1\] is an empty text"),
        (["a", None], DataError, r"X\[1\] is missing"),
        (["a", float("nan")], DataError, r"X\[1\] is missing"),
        (np.array(["a", None], object), DataError, r"X\[1\] is missing"),
        (["a", b"ok", b"caf\xe9"], DataError, r"X\[2\] is not UTF-8: byte 0xE9 at place 3"),
        (["a", 3], DtypeError, r"X\[1\] must be a text, got int"),
        ("a", ShapeError, "list of texts"),
        (np.array([["a"]]), ShapeError, r"shape \(1, 1\)"),
    ],
)
def test_bad_texts_are_named(texts: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        as_texts(texts)


def test_what_is_taken_for_texts() -> None:
    pandas = pytest.importorskip("pandas")
    for texts in (["a"], ("a", "b"), np.array(["a"]), np.array(["a"], object), [b"a"], pandas.Series(["a", "b"])):
        assert is_text(texts) and as_texts(texts)[0] == "a"
    for other in (
        "a",
        [1.0],
        [["a"]],
        np.zeros(3),
        np.array([["a"]]),
        None,
        pandas.Series([1, 2]),
        pandas.DataFrame({"a": ["b"]}),
    ):
        assert not is_text(other)


def test_bad_use() -> None:
    with pytest.raises(NotFittedError, match="fit"):
        WordTokenizer().encode(["a"])
    with pytest.raises(ParameterError, match="min_count"):
        WordTokenizer(min_count=0).fit(["a"])
    with pytest.raises(ParameterError, match="at least 260"):
        BytePairTokenizer(size=100).fit(["a"])
    with pytest.raises(UnknownNameError, match="words"):
        get_tokenizer("word")
    with pytest.raises(ParameterError, match="tokenizer"):
        get_tokenizer(3)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"0, \.\.\., 4"):
        CharacterTokenizer().fit(["a"]).decode([5])


@pytest.mark.parametrize(
    "change",
    [{"kind": "letters"}, {"settings": {"max": 1}}, {"vocabulary": ["a", "a"]}, {"vocabulary": [1]}, {"settings": None}],
)
def test_a_damaged_state(change: dict[str, Any]) -> None:
    state = WordTokenizer(min_count=1).fit(["a b"]).state() | change
    with pytest.raises(ModelFileError):
        Tokenizer.from_state(state)


def test_half_a_sign_is_no_text() -> None:
    with pytest.raises(DataError, match=r"X\[1\] is no text of Unicode: '\\udcff' at place 5"):
        as_texts(["good", "caf\xe9 \udcff"])
    assert as_texts(["caf\xe9 \U0001f600"]) == ["caf\xe9 \U0001f600"]


def test_decode_takes_one_sample() -> None:
    tokenizer = WordTokenizer(min_count=1).fit(["a good film"])
    for several in (tokenizer.encode(["a", "good film"]), [[4, 5], [6]], np.full((2, 2), 4)):
        with pytest.raises(ShapeError, match="the indices of one sample"):
            tokenizer.decode(several)
    with pytest.raises(DtypeError, match="whole numbers"):
        tokenizer.decode([4.5])
    assert tokenizer.decode([]) == ""


def test_a_single_text_or_none_at_all_for_an_estimator() -> None:
    model = NeuralClassifier(epochs=1, random_state=0)
    with pytest.raises(ShapeError, match=r"Put it in a list: \['good film'\]"):
        model.fit("good film", ["a"])
    model.fit(["good film", "bad film"] * 5, [1, 0] * 5)
    with pytest.raises(DataError, match="X has 0 texts"):
        model.predict([])
    with pytest.raises(DtypeError, match=r"Got 'good film'. A single text goes into a list"):
        model.predict("good film")
    with pytest.raises(DtypeError, match="must be a list of texts, got NoneType"):
        as_texts(None)


# ---------------------------------------------------------------- words of all scripts

#: A language, and two sentences of equal length that differ in one word.
LANGUAGES = {
    "Hindi": ("यह फ़िल्म अच्छी है", "यह फ़िल्म बुरी है"),
    "Bengali": ("ছবিটি ভালো ছিল", "ছবিটি খারাপ ছিল"),
    "Tamil": ("படம் நன்றாக இருந்தது", "படம் மோசமாக இருந்தது"),
    "Thai": ("หนังเรื่องนี้ดีมาก", "หนังเรื่องนี้แย่มาก"),
    "Arabic with vowels": ("الفِيلْمُ جَمِيلٌ", "الفِيلْمُ سَيِّئٌ"),
    "Hebrew with vowels": ("הַסֶּרֶט טוֹב", "הַסֶּרֶט רַע"),
    "French, decomposed": ("le film est re\u0301ussi", "le film est rate\u0301"),
    "Turkish": ("FİLM GÜZELDİ", "FİLM KÖTÜYDÜ"),
    "Chinese": ("这部电影很好", "这部电影很差"),
    "Japanese": ("この映画は良い", "この映画は悪い"),
    "Korean": ("이 영화는 좋다", "이 영화는 나쁘다"),
    "Greek": ("η ταινία ήταν καλή", "η ταινία ήταν κακή"),
    "Georgian": ("ფილმი კარგი იყო", "ფილმი ცუდი იყო"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_classes_that_a_word_tells_apart_are_learned_in_every_script(language: str) -> None:
    good, bad = LANGUAGES[language]
    texts, labels = [good, bad] * 20, ["good", "bad"] * 20
    model = NeuralClassifier(hidden=[8], epochs=40, learning_rate=0.02, random_state=0).fit(texts, labels)
    assert model.score(texts, labels) == 1.0
    composed = [unicodedata.normalize(form, good) for form in ("NFC", "NFD")]
    assert (model.predict(composed) == "good").all()  # the same text, stored in two ways


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("हिन्दी में लिखा", ["हिन्दी", "में", "लिखा"]),
        ("বাংলা ভাষা", ["বাংলা", "ভাষা"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
        ("العَرَبِيَّةُ جميلة", ["العَرَبِيَّةُ", "جميلة"]),
        ("cafe\u0301 noir", ["café", "noir"]),
        ("İstanbul'da", ["istanbul'da"]),
        ("我喜欢 it", ["我", "喜", "欢", "it"]),
        ("l'été 3.14, 1,000.5!", ["l'été", "3.14", ",", "1,000.5", "!"]),
        ("👨‍👩‍👧 🇩🇪", ["👨‍👩‍👧", "🇩🇪"]),
    ],
)
def test_words_are_those_of_unicode(text: str, tokens: list[str]) -> None:
    assert WordTokenizer().split(text) == tokens


def test_chinese_is_put_together_without_spaces() -> None:
    text = "我喜欢这个电影。very much"
    tokenizer = WordTokenizer(min_count=1).fit([text])
    assert tokenizer.decode(tokenizer.encode([text])[0]) == "我喜欢这个电影。 very much"


def test_tokenizers_of_old_models_cut_as_they_were_trained() -> None:
    text = "a well-known हिन्दी"
    new = WordTokenizer(min_count=1).fit([text])
    state = new.state()
    assert state["version"] == 2
    del state["version"]
    state["vocabulary"] = ["a", "well-known", "ह", "न", "द"]
    old = Tokenizer.from_state(state)
    assert old.encode([text])[0].tolist()[:2] == [4, 5] and old.split("well-known हि") == ["well-known", "ह", "ि"]
    assert Tokenizer.from_state(json.loads(json.dumps(old.state()))).split("well-known") == ["well-known"]
    assert pickle.loads(pickle.dumps(old)).split("well-known") == ["well-known"]
    assert old.fit([text]).split("well-known") == ["well", "-", "known"]
    with pytest.raises(ModelFileError, match="version 3"):
        Tokenizer.from_state({**state, "version": 3})


def test_texts_of_unknown_tokens_say_so() -> None:
    tokenizer = WordTokenizer(min_count=1).fit(["a good film", "a bad film"])
    with pytest.warns(
        UnknownValuesWarning, match=r"X: 2 of 3 texts hold hardly a token .* 4 of the vocabulary, such as X\[1\]"
    ):
        tokenizer.encode(["a film", "ein guter Streifen", "schlecht"])
    with pytest.warns(UnknownValuesWarning, match="the text holds hardly a token"):
        tokenizer.encode(["nichts"])
    assert tokenizer.encode(["a nice film", "nothing"])[0].tolist() == [4, 1, 5]


# ---------------------------------------------------------------- long texts


def test_texts_much_longer_than_the_others_are_cut_aloud() -> None:
    texts = ["a good film"] * 9 + ["bad " * 3000, "a bad film"]
    with pytest.warns(LongTextWarning, match=r"X: 1 of 11 texts have more than 512 tokens \(X\[9\]: 3,000\).*WordTokenizer"):
        model = NeuralClassifier(hidden=[4], epochs=1, random_state=0).fit(texts, ["g"] * 9 + ["b"] * 2)
    assert model.tokenizer_.limit_ == 512
    again = Tokenizer.from_state(json.loads(json.dumps(model.tokenizer_.state())))
    for tokenizer in (model.tokenizer_, again, pickle.loads(pickle.dumps(model.tokenizer_))):
        with pytest.warns(LongTextWarning, match="the text has more than 512 tokens"):
            assert tokenizer.encode(["bad " * 600]).lengths.tolist() == [512]
    with pytest.raises(ModelFileError, match="reads -1 tokens"):
        Tokenizer.from_state({**model.tokenizer_.state(), "limit": -1})


def test_how_much_of_a_text_is_read_can_be_set() -> None:
    texts = ["a good film"] * 9 + ["bad " * 3000]
    whole = WordTokenizer(max_length=None).fit(texts).encode(texts, choose_limit=True)
    assert whole.lengths.max() == 3000
    assert WordTokenizer().fit(texts).encode(texts).lengths.max() == 3000  # nobody asked to choose
    with pytest.warns(LongTextWarning):
        assert WordTokenizer(max_length=2).fit(texts).encode(texts, start=True, end=True).lengths.tolist() == [4] * 10
    with pytest.raises(ParameterError, match="max_length must be an int of at least 1"):
        WordTokenizer(max_length=0).fit(texts)


def test_the_same_texts_give_the_same_word_pieces() -> None:
    pytest.importorskip("tokenizers")
    texts = ["a fine film, great fun", "awful and boring", "lovely acting, wonderful", "terrible plot, so bad", "字符mixed"]
    first, *others = [WordPieceTokenizer(size=200).fit(texts * 3) for _ in range(4)]
    assert all(other.vocabulary_ == first.vocabulary_ for other in others)
    assert first.decode(first.encode(["Wonderful Plot"])[0]) == "wonderful plot"
    many = ["".join(chr(0x400 + (7 * i + j) % 250) for j in range(9)) for i in range(250)]
    assert len(WordPieceTokenizer(size=200).fit(many).vocabulary_) <= 400
