"""Networks that foresee frames, beside copying the last frame."""

from __future__ import annotations

import doctest
from collections.abc import Callable

import numpy as np
import pytest

from chainrule import Network
from chainrule.architectures import conv_lstm_forecaster, frame_networks, simvp
from chainrule.errors import ParameterError, ShapeError
from chainrule.metrics import PSNR


def moving(n: int, frames: int = 7, side: int = 16, seed: int = 0) -> np.ndarray:
    """A bright square that goes on in one of four directions: the frames before say where it will be."""
    rng = np.random.default_rng(seed)
    clips = np.zeros((n, frames, side, side, 1), np.float32)
    for clip in clips:
        y, x = rng.integers(0, side, 2)
        dy, dx = [(0, 2), (0, -2), (2, 0), (-2, 0)][rng.integers(4)]
        for t in range(frames):
            rows, columns = np.arange(y + t * dy, y + t * dy + 4) % side, np.arange(x + t * dx, x + t * dx + 4) % side
            clip[t, rows[:, None], columns] = 1
    return clips


def test_examples_of_the_docstrings_run() -> None:
    found = doctest.testmod(frame_networks)
    assert found.attempted == 2 and not found.failed


MADE = [(conv_lstm_forecaster, {"channels": 16}), (simvp, {"channels": 32, "blocks": 2})]


@pytest.mark.parametrize(("make", "options"), MADE)
def test_frames_are_foreseen_better_than_by_copying_the_last(make: Callable[..., Network], options: dict[str, int]) -> None:
    clips, test = moving(96), moving(24, seed=1)
    net = make(3, input_shape=(4, 16, 16, 1), random_state=0, patch=2, **options)
    assert net.output_shapes == [(3, 16, 16, 1)]
    net.fit(
        clips[:, :4], clips[:, 4:], loss="binary_cross_entropy", optimizer="adam", learning_rate=0.004, epochs=12,
        batch_size=8, threads=1, verbose=0,
    )  # fmt: skip
    found = net.loss_.prediction(net.predict(test[:, :4]))
    copied = np.repeat(test[:, 3:4], 3, axis=1)
    assert ((found - test[:, 4:]) ** 2).mean() < 0.6 * ((copied - test[:, 4:]) ** 2).mean()
    assert PSNR()(test[:, 4:], found) > PSNR()(test[:, 4:], copied)


def test_bad_arguments() -> None:
    for make in (conv_lstm_forecaster, simvp):
        with pytest.raises(ShapeError, match="multiples of 4"):
            make(3, input_shape=(4, 18, 16, 1))
        with pytest.raises(ParameterError, match="frames must be an int"):
            make(0, input_shape=(4, 16, 16, 1))
