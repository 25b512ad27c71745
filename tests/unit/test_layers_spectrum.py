"""Spectra of sound: against librosa's definitions, with padding, and where they cannot be; masks through images."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from chainrule import (
    MFCC,
    STFT,
    AveragePool2D,
    Conv2D,
    Flatten,
    Input,
    Masking,
    MaxPool2D,
    MelSpectrogram,
    Network,
    ReLU,
    Reshape,
    SpecAugment,
    TimeDistributed,
)
from chainrule.data import Sequences
from chainrule.errors import ParameterError, ShapeError

RNG = np.random.default_rng(0)
FRAMES: list[dict[str, Any]] = [{"n_fft": 256, "hop": 80}, {"n_fft": 512}, {"n_fft": 256, "hop": 100, "window": 200}]


def sound() -> np.ndarray:
    """Noise, silence, and noise with a silent end."""
    x = 0.1 * RNG.normal(size=(3, 2000))
    x[1] = 0
    x[2, 500:] = 0
    return x


def as_librosa(frames: dict[str, Any]) -> dict[str, Any]:
    return {
        "n_fft": frames["n_fft"],
        "hop_length": frames.get("hop", frames["n_fft"] // 4),
        "win_length": frames.get("window"),
        "pad_mode": "constant",
    }


def test_a_tone_is_a_peak_at_its_frequency() -> None:
    t = np.arange(8000) / 8000
    y = Network([STFT(512, hop=256, output="power")]).build((8000,)).predict(np.sin(2 * np.pi * 1000 * t)[None])
    assert (y[0, 2:-2].argmax(axis=1) == 64).all()  # 1000 Hz of 8000, in 512 samples
    mel = Network([MelSpectrogram(8000, mels=30)]).build((8000,)).predict(np.zeros((1, 8000)))
    np.testing.assert_allclose(mel, -100)  # silence is 1e-10


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("frames", FRAMES, ids=str)
def test_against_librosa(frames: dict[str, Any]) -> None:
    librosa = pytest.importorskip("librosa")
    x = sound()
    how = as_librosa(frames)
    cases: list[tuple[Any, Any]] = [
        (STFT(**frames), lambda a: np.abs(librosa.stft(a, **how))),
        (
            MelSpectrogram(8000, mels=24, low=100, high=3500, scale="power", **frames),
            lambda a: librosa.feature.melspectrogram(y=a, sr=8000, n_mels=24, fmin=100, fmax=3500, **how),
        ),
        (
            MelSpectrogram(8000, mels=24, top_decibel=80.0, **frames),
            lambda a: librosa.power_to_db(librosa.feature.melspectrogram(y=a, sr=8000, n_mels=24, **how)),
        ),
        (
            MFCC(8000, mels=24, coefficients=13, **frames),
            lambda a: librosa.feature.mfcc(y=a, sr=8000, n_mels=24, n_mfcc=13, **how),
        ),
    ]
    for layer, wanted in cases:
        found = Network([copy.deepcopy(layer)], dtype="float64").build((2000,)).predict(x)
        np.testing.assert_allclose(found, np.stack([wanted(a).T for a in x]), rtol=1e-5, atol=1e-5, err_msg=repr(layer))
        fast = Network([copy.deepcopy(layer)]).build((2000,)).predict(x)
        np.testing.assert_allclose(fast, found, atol=2e-3 * max(1.0, np.abs(found).max() / 100), err_msg=repr(layer))


@pytest.mark.parametrize("pool", [MaxPool2D((2, 3)), AveragePool2D((3, 2), stride=2)], ids=repr)
def test_padding_changes_nothing_behind_spectra_and_convolutions_of_images(pool: Any) -> None:
    x = Sequences([RNG.normal(size=n) for n in (2000, 1555, 803, 400)])
    given, lengths = Input((None,)), Input((), dtype="int")
    mel = MelSpectrogram(8000, n_fft=256, hop=80, mels=24)(Masking()(given, lengths))
    h = ReLU()(Conv2D(4, (3, 5), padding=(1, 2), stride=(1, 2))(TimeDistributed(Reshape((24, 1)))(mel)))
    net = Network(inputs=[given, lengths], outputs=TimeDistributed(Flatten())(pool(h)), random_state=0).build()
    z = net.predict([x, x.lengths])
    for i in range(len(x)):
        alone = net.predict([x[i : i + 1], x.lengths[i : i + 1]])[0]
        without = net.predict([x[i][None], x.lengths[i : i + 1]])[0]
        assert z[i].shape == alone.shape == without.shape
        np.testing.assert_allclose(z[i], alone, atol=1e-4)
        np.testing.assert_allclose(z[i], without, atol=1e-4)


def test_what_spec_augment_covers() -> None:
    layer = SpecAugment(0.5, 0.25)
    net = Network([layer], random_state=0).build((40, 20))
    x = np.ones((50, 40, 20))
    assert np.array_equal(net.predict(x), x)
    kept = net.trace(x, training=True, seed=1).layers["0.spec_augment"].output
    frames, bands = (1 - kept.max(axis=2)).sum(axis=1), (1 - kept.max(axis=1)).sum(axis=1)
    assert 0 < frames.max() <= 21 and 0 < bands.max() <= 6 and len(set(frames)) > 5
    for sample in kept.max(axis=2):
        assert np.abs(np.diff(sample)).sum() <= 2  # one stretch
    with pytest.raises(ShapeError, match="longest=10"):
        Network([SpecAugment(longest=10)]).build((11, 4))
    with pytest.raises(ParameterError, match="time"):
        SpecAugment(1.5).validate()


@pytest.mark.parametrize(
    ("layer", "match"),
    [
        (MelSpectrogram(8000, n_fft=64, mels=60), "bands are narrower"),
        (MelSpectrogram(8000, low=5000), "low must be below high"),
        (MelSpectrogram(8000, high=5000), "high must be at most half"),
        (MelSpectrogram(8000, scale="loud"), "scale must be"),
        (MFCC(8000, coefficients=50), "50 coefficients of 40 mels"),
        (STFT(255), "n_fft must be even"),
        (STFT(256, window=300), "a window of 300"),
        (STFT(256, output="phase"), "output must be"),
    ],
)
def test_arguments_that_cannot_be(layer: Any, match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        layer.validate()
    with pytest.raises(ShapeError, match=r"expected sound \(N, T\)"):
        Network([STFT(16)]).build((20, 2))
