"""Mel-frequency cepstral coefficients."""

from __future__ import annotations

from ..constraints import Interval
from ..errors import ParameterError
from ..ops.value import Shape
from ._spectrum import _MelSpectrum, cosine_basis, masked, unmasked
from .base import Builder, Saved, State, Value


class MFCC(_MelSpectrum):
    """Mel-frequency cepstral coefficients: the cosine transform over the bands of a mel spectrogram in decibels,
    ``y = D MelSpectrogram(x)`` with the orthonormal transform D of kind II, as in ``librosa.feature.mfcc``.

    Parameters
        rate : samples a second ; coefficients : int >= 1, how many are kept, at most ``mels``
        n_fft, hop, window, mels, low, high, top_decibel : as of MelSpectrogram; what lies 80 dB below the loudest number of
            the sample is raised to there by default
    Shapes      x (N, T) ; y (N, F, coefficients) ; states basis, filters as of MelSpectrogram, cosines (mels, coefficients)
    Backward    the gradient of the mel spectrogram is dy Dᵀ
    Raises      as MelSpectrogram ; ParameterError for more coefficients than mels
    References  Davis and Mermelstein, Comparison of parametric representations for monosyllabic word recognition, 1980

    Example
        >>> MFCC(8000, n_fft=256)
        MFCC(8000, n_fft=256)
    """

    hyperparameters = {**_MelSpectrum.hyperparameters, "coefficients": Interval(int, 1)}

    def __init__(
        self,
        rate: float,
        *,
        coefficients: int = 20,
        n_fft: int = 512,
        hop: int | None = None,
        window: int | None = None,
        mels: int = 40,
        low: float = 0.0,
        high: float | None = None,
        top_decibel: float | None = 80.0,
    ):
        self.rate, self.coefficients, self.n_fft, self.hop, self.window = rate, coefficients, n_fft, hop, window
        self.mels, self.low, self.high, self.top_decibel = mels, low, high, top_decibel

    def validate(self) -> None:
        super().validate()
        if self.coefficients > self.mels:
            raise ParameterError(f"MFCC: {self.coefficients} coefficients of {self.mels} mels. Give at most one for each.")

    def states(self, *shapes: Shape) -> dict[str, State]:
        size = int(self.mels), int(self.coefficients)
        return {**super().states(*shapes), "cosines": State(size, cosine_basis(*size))}

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        m, saved = self._bands(k, xs[0])
        y, saved.decibels = self._decibels(k, m)
        saved.cosines, (n, frames, mels) = k.state("cosines"), y.shape
        z = k.reshape(k.matmul(k.reshape(y, (n * frames, mels)), saved.cosines), (n, frames, int(self.coefficients)))
        return masked(k, z, saved.frames), saved

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        dy, (n, frames, count) = unmasked(k, dy, saved.frames), dy.shape
        d = k.matmul(k.reshape(dy, (n * frames, count)), saved.cosines, transpose_b=True)
        d = k.reshape(d, (n, frames, int(self.mels)))
        return self._bands_backward(k, saved, self._decibels_backward(k, saved.decibels, d))
