"""The short-time Fourier transform of sound, and scales of frequencies, that the layers of spectra share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval, Maybe
from ..errors import ParameterError
from ..ops.value import Shape
from ._window_mask import as_column, window_mask
from .base import Builder, Layer, Saved, ShapeError, State, Value

Floats = NDArray[np.float64]
#: The least power that has a logarithm.
LEAST = 1e-10


def hann(size: int) -> Floats:
    """The periodic Hann window ``w[n] = (1 − cos(2π n / size)) / 2``."""
    window: Floats = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    return window


def fourier_basis(n_fft: int, size: int) -> Floats:
    """(n_fft, 1, 2 B) the window times cos and −sin of each of B = n_fft/2 + 1 frequencies: a DFT as a matrix product.

    A window that is shorter than a frame stands in its middle.
    """
    window = np.zeros(n_fft)
    start = (n_fft - size) // 2
    window[start : start + size] = hann(size)
    # The angle is reduced to one turn before the cosine, so that high frequencies keep their digits.
    turns = np.arange(n_fft)[:, None] * np.arange(n_fft // 2 + 1) % n_fft / n_fft
    basis = np.concatenate([np.cos(2 * np.pi * turns), -np.sin(2 * np.pi * turns)], axis=1)
    found: Floats = (window[:, None] * basis)[:, None, :]
    return found


def to_mel(hertz: Any) -> Floats:
    """Slaney's mel scale: linear below 1,000 Hz (3 mel for 200 Hz), logarithmic above (27 mel for a factor of 6.4)."""
    f = np.asarray(hertz, np.float64)
    found: Floats = np.where(f < 1000, 3 * f / 200, 15 + 27 * np.log(np.maximum(f, 1000) / 1000) / np.log(6.4))
    return found


def from_mel(mel: Any) -> Floats:
    """The frequency of a place on Slaney's mel scale, in hertz."""
    m = np.asarray(mel, np.float64)
    found: Floats = np.where(m < 15, 200 * m / 3, 1000 * np.exp((np.maximum(m, 15) - 15) * np.log(6.4) / 27))
    return found


def mel_filters(rate: float, n_fft: int, mels: int, low: float, high: float) -> Floats:
    """(B, mels) triangles whose corners are equally far apart in mel, each of area 1 over its frequencies in hertz."""
    corners = from_mel(np.linspace(to_mel(low), to_mel(high), mels + 2))
    bins = np.arange(n_fft // 2 + 1)[:, None] * rate / n_fft
    left, middle, right = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (bins - left) / (middle - left), (right - bins) / (right - middle)
    found: Floats = np.maximum(0, np.minimum(rising, falling)) * 2 / (right - left)
    return found


def cosine_basis(size: int, count: int) -> Floats:
    """(size, count) the first columns of the orthonormal discrete cosine transform of kind II."""
    n, k = np.arange(size)[:, None], np.arange(count)
    basis = np.sqrt(2 / size) * np.cos(np.pi * k * (2 * n + 1) / (2 * size))
    basis[:, 0] = np.sqrt(1 / size)
    found: Floats = basis
    return found


class _Spectrum(Layer):
    """Base of the layers that begin with a short-time Fourier transform of samples (N, T)."""

    hyperparameters = {"n_fft": Interval(int, 2), "hop": Maybe(Interval(int, 1)), "window": Maybe(Interval(int, 2))}
    n_fft: int
    hop: int | None
    window: int | None

    @property
    def _hop(self) -> int:
        return max(1, self.n_fft // 4) if self.hop is None else int(self.hop)

    @property
    def _bins(self) -> int:
        return int(self.n_fft) // 2 + 1

    def validate(self) -> None:
        super().validate()
        if self.window is not None and self.window > self.n_fft:
            raise ParameterError(
                f"{type(self).__name__}: a window of {self.window} samples does not fit into a frame of n_fft={self.n_fft}. "
                "Raise n_fft, or shorten the window."
            )
        if self.n_fft % 2:
            raise ParameterError(f"{type(self).__name__}: n_fft must be even. Got {self.n_fft}.")

    def _samples(self, shape: Shape) -> Shape:
        if len(shape) != 2:
            raise ShapeError(f"{type(self).__name__}: expected sound (N, T), one channel of T samples. Got {shape}.")
        return shape

    def states(self, *shapes: Shape) -> dict[str, State]:
        self._samples(shapes[0])
        n_fft = int(self.n_fft)
        return {"basis": State((n_fft, 1, 2 * self._bins), fourier_basis(n_fft, int(self.window or n_fft)))}

    def _transform(self, k: Builder, x: Value) -> tuple[Value, Value, Saved]:
        """The real and the imaginary parts (N, F, B) of the spectra of all frames; the mask of x becomes one of frames.

        Frame f is centred at sample f · hop, and there are F = ⌊T / hop⌋ + 1 of them; sound is 0 outside.
        """
        shape, half, hop, bins = self._samples(x.shape), int(self.n_fft) // 2, self._hop, self._bins
        mask = k.mask_of(x)
        column = None
        if mask is not None:
            x = k.multiply(x, mask)
            column = mask
        x = k.reshape(x, (*shape, 1))
        options: dict[str, Any] = {"stride": (hop,), "padding": ((half, half),), "dilation": (1,), "groups": 1}
        basis = k.state("basis")
        z = k.conv(x, basis, **options)
        frames = None
        if mask is not None:
            frames = window_mask(k, mask, z.shape[1], stride=(hop,), padding=((half, half),), reach=int(self.n_fft))
        saved = Saved(shape=shape, basis=basis, options=options, column=column, frames=frames)
        return k.slice(z, 2, 0, bins), k.slice(z, 2, bins, 2 * bins), saved

    def _transform_backward(self, k: Builder, saved: Saved, d_real: Value, d_imaginary: Value) -> Value:
        dz = k.concat([d_real, d_imaginary], axis=2)
        dx = k.conv_backward_data(dz, saved.basis, spatial=saved.shape[1:], **saved.options)
        dx = k.reshape(dx, saved.shape)
        return dx if saved.column is None else k.multiply(dx, saved.column)


class _MelSpectrum(_Spectrum):
    """Base of the layers of the mel scale: power in bands, and its logarithm."""

    hyperparameters = {
        **_Spectrum.hyperparameters,
        "rate": Interval(float, 1),
        "mels": Interval(int, 1),
        "low": Interval(float, 0),
        "high": Maybe(Interval(float, 0)),
        "top_decibel": Maybe(Interval(float, 0)),
    }
    rate: float
    mels: int
    low: float
    high: float | None
    top_decibel: float | None

    def validate(self) -> None:
        super().validate()
        top = self.rate / 2
        if self.high is not None and self.high > top:
            raise ParameterError(
                f"{type(self).__name__}: high must be at most half the sampling rate, {top:g} Hz. Got {self.high!r}."
            )
        if not self.low < (top if self.high is None else self.high):
            raise ParameterError(
                f"{type(self).__name__}: low must be below high, which is at most half the sampling rate, {top:g} Hz. "
                f"Got {self.low!r} and {self.high!r}."
            )
        empty = np.flatnonzero(~self._filters().any(axis=0))
        if len(empty):
            raise ParameterError(
                f"{type(self).__name__}: {len(empty)} of the {self.mels} mel bands are narrower than the distance of two "
                f"frequencies, {self.rate / self.n_fft:.4g} Hz, and would always be 0. Use fewer mels or a larger n_fft."
            )

    def _filters(self) -> Floats:
        high = self.rate / 2 if self.high is None else self.high
        return mel_filters(float(self.rate), int(self.n_fft), int(self.mels), float(self.low), float(high))

    def states(self, *shapes: Shape) -> dict[str, State]:
        return {**super().states(*shapes), "filters": State((self._bins, int(self.mels)), self._filters())}

    def _bands(self, k: Builder, x: Value) -> tuple[Value, Saved]:
        """The power in each mel band (N, F, mels)."""
        real, imaginary, saved = self._transform(k, x)
        power = k.add(k.square(real), k.square(imaginary))
        filters = k.state("filters")
        rows = k.matmul(k.reshape(power, (power.shape[0] * power.shape[1], self._bins)), filters)
        saved.real, saved.imaginary, saved.filters = real, imaginary, filters
        return k.reshape(rows, (*power.shape[:2], int(self.mels))), saved

    def _bands_backward(self, k: Builder, saved: Saved, dm: Value) -> Value:
        rows = k.reshape(dm, (dm.shape[0] * dm.shape[1], dm.shape[2]))
        dp = k.reshape(k.matmul(rows, saved.filters, transpose_b=True), saved.real.shape)
        dp = k.multiply(dp, 2.0)
        return self._transform_backward(k, saved, k.multiply(dp, saved.real), k.multiply(dp, saved.imaginary))

    def _decibels(self, k: Builder, m: Value) -> tuple[Value, Saved]:
        """10 log₁₀ max(m, 1e-10), and not more than ``top_decibel`` below the largest of the sample."""
        cut = k.maximum(m, LEAST)
        y = k.multiply(k.log(cut), 10 / np.log(10))
        saved = Saved(m=m, cut=cut, y=y, largest=None)
        if self.top_decibel is None:
            return y, saved
        saved.largest = k.max(y, axis=(1, 2), keepdims=True)
        saved.floor = k.subtract(saved.largest, float(self.top_decibel))
        return k.maximum(y, saved.floor), saved

    def _decibels_backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        if saved.largest is not None:
            above = k.greater(saved.y, saved.floor)
            of_floor = k.sum(k.multiply(dy, k.subtract(1.0, above)), axis=(1, 2), keepdims=True)
            dy = k.add(k.multiply(dy, above), k.multiply(k.equal(saved.y, saved.largest), of_floor))
        slope = k.multiply(k.greater(saved.m, LEAST), 10 / np.log(10))
        return k.multiply(dy, k.divide(slope, saved.cut))


def masked(k: Builder, y: Value, frames: Value | None) -> Value:
    """y with 0 at frames of padding, and its mask."""
    if frames is None:
        return y
    y = k.multiply(y, as_column(k, frames, y.ndim))
    k.set_mask(y, frames)
    return y


def unmasked(k: Builder, dy: Value, frames: Value | None) -> Value:
    """The gradient before ``masked``."""
    return dy if frames is None else k.multiply(dy, as_column(k, frames, dy.ndim))
