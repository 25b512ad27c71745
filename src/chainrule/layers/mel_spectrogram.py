"""The mel spectrogram of sound."""

from __future__ import annotations

from ..constraints import OneOf
from ._spectrum import _MelSpectrum, masked, unmasked
from .base import Builder, Saved, Value


class MelSpectrogram(_MelSpectrum):
    """The power of sound in bands of the mel scale, in decibels: ``y = 10 log₁₀ max(|STFT(x)|² M, 1e-10)``.

    M are triangular filters that lie equally far apart on Slaney's mel scale, each of area 1, as in
    ``librosa.feature.melspectrogram`` and ``librosa.power_to_db`` (there ``top_decibel`` is 80). As a layer it is part of
    the model: files hold it, and new sound needs no other preprocessing.

    Where a mask says that samples are padding (see Masking), the frames are those of the sound without it.

    Parameters
        rate : samples a second ; n_fft, hop, window : of the STFT ; mels : int >= 1, number of bands
        low, high : frequencies in Hz between which the bands lie = 0 and half the rate
        scale : "decibel", or "power" for |STFT(x)|² M itself
        top_decibel : what lies this far below the loudest number of the sample is raised to there; None for none
    Shapes      x (N, T) ; y (N, F, mels) with F = ⌊T / hop⌋ + 1 ; states basis (n_fft, 1, n_fft + 2), filters
                (n_fft / 2 + 1, mels)
    Backward    dP = (10 / ln 10) dy / P where P > 1e-10 ; d|X|² = dP Mᵀ ; dx as of STFT
    Raises      ShapeError when x is not (N, T) ; ParameterError for frequencies above half the rate, for a scale that is not
                known, and for bands in which no frequency lies
    References  Stevens, Volkmann and Newman, A scale for the measurement of the psychological magnitude pitch, 1937 ;
                Slaney, Auditory toolbox, 1998

    Example
        >>> MelSpectrogram(16000, mels=64)
        MelSpectrogram(16000, mels=64)
    """

    hyperparameters = {**_MelSpectrum.hyperparameters, "scale": OneOf("decibel", "power")}

    def __init__(
        self,
        rate: float,
        *,
        n_fft: int = 512,
        hop: int | None = None,
        window: int | None = None,
        mels: int = 40,
        low: float = 0.0,
        high: float | None = None,
        scale: str = "decibel",
        top_decibel: float | None = None,
    ):
        self.rate, self.n_fft, self.hop, self.window = rate, n_fft, hop, window
        self.mels, self.low, self.high, self.scale, self.top_decibel = mels, low, high, scale, top_decibel

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        y, saved = self._bands(k, xs[0])
        if self.scale == "decibel":
            y, saved.decibels = self._decibels(k, y)
        return masked(k, y, saved.frames), saved

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        dy = unmasked(k, dy, saved.frames)
        return self._bands_backward(
            k, saved, self._decibels_backward(k, saved.decibels, dy) if self.scale == "decibel" else dy
        )
