"""How alike pictures are: PSNR and SSIM."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest

from chainrule import Conv2D, Network
from chainrule.errors import ParameterError, ShapeError
from chainrule.metrics import PSNR, SSIM, get_metric


@pytest.mark.parametrize("name", ["psnr", "ssim"])
def test_examples_of_the_docstrings_run(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"chainrule.metrics.{name}"))
    assert found.attempted and not found.failed


@pytest.mark.peer
@pytest.mark.parametrize("top", [1.0, 255.0])
def test_against_scikit_image(top: float) -> None:
    theirs = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    x = rng.random((3, 4, 20, 17, 2)) * top
    y = np.clip(x + rng.normal(0, 0.1 * top, x.shape), 0, top)
    peak = np.mean([theirs.peak_signal_noise_ratio(a, b, data_range=top) for a, b in zip(x, y, strict=True)])
    assert PSNR(data_range=top)(x, y) == pytest.approx(peak, rel=1e-10)
    for window in (7, 5):
        wanted = np.mean(
            [
                [
                    theirs.structural_similarity(a, b, data_range=top, win_size=window, channel_axis=-1)
                    for a, b in zip(one, two, strict=True)
                ]
                for one, two in zip(x, y, strict=True)
            ]
        )
        assert SSIM(data_range=top, window=window)(x, y) == pytest.approx(wanted, rel=1e-9)
    grey = SSIM(data_range=top)(x[:, 0, :, :, 0], y[:, 0, :, :, 0])
    assert grey == pytest.approx(
        np.mean(
            [
                theirs.structural_similarity(a, b, data_range=top)
                for a, b in zip(x[:, 0, ..., 0], y[:, 0, ..., 0], strict=True)
            ]
        )
    )


def test_limits_and_weights() -> None:
    x = np.random.default_rng(1).random((2, 9, 9, 1))
    assert PSNR()(x, x) == pytest.approx(150) and SSIM()(x, x) == pytest.approx(1)
    assert SSIM()(np.zeros_like(x), np.zeros_like(x)) == 1 and SSIM()(x, 1 - x) < 0
    y = x.copy()
    y[1] += 0.1
    assert PSNR()(x, y, sample_weight=[0, 1]) == pytest.approx(20)
    with pytest.raises(ParameterError, match="data_range"):
        PSNR(data_range=0)(x, x)
    with pytest.raises(ParameterError, match="must be odd"):
        SSIM(window=4)(x, x)
    with pytest.raises(ShapeError, match="sides of at least 7"):
        SSIM()(x[:, :5], x[:, :5])


def test_they_are_known_by_name_in_a_fit() -> None:
    assert get_metric("psnr") == PSNR() and get_metric("ssim") == SSIM()
    x = np.random.default_rng(2).random((8, 8, 8, 1)).astype(np.float32)
    net = Network([Conv2D(1, 1)], random_state=0).fit(x, x, metrics=["psnr", "ssim"], loss="mse", epochs=1, verbose=0)
    assert {"psnr", "ssim"} <= set(net.evaluate(x, x))
