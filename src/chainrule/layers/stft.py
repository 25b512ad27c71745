"""The short-time Fourier transform of sound."""

from __future__ import annotations

from ..constraints import OneOf
from ._spectrum import _Spectrum, masked, unmasked
from .base import Builder, Saved, Value


class STFT(_Spectrum):
    """Short-time Fourier transform ``X[f, b] = Σₙ w[n] x[f · hop + n − n_fft/2] e^(−2πi b n / n_fft)`` of samples x.

    w is the periodic Hann window, and x is 0 outside the sound, as in ``librosa.stft`` with its defaults. The transform is
    one product of the frames with a fixed matrix, so gradients pass it.

    Where a mask says that samples are padding (see Masking), the frames are those of the sound without it.

    Parameters
        n_fft : even int >= 2, samples of a frame ; hop : int >= 1 from one frame to the next, None for n_fft / 4
        window : int, samples of the window, in the middle of the frame; None for n_fft
        output : "magnitude" |X|, "power" |X|², or "complex", the real and the imaginary part
    Shapes      x (N, T) ; y (N, F, B), complex (N, F, B, 2), with F = ⌊T / hop⌋ + 1 and B = n_fft / 2 + 1 ;
                state basis (n_fft, 1, 2 B)
    Backward    dx = the sum over the frames of the transform's transpose of (∂y/∂Re dy, ∂y/∂Im dy)
    Raises      ShapeError when x is not (N, T) ; ParameterError for an odd n_fft, or a window longer than a frame
    References  Allen and Rabiner, A unified approach to short-time Fourier analysis and synthesis, Proc. IEEE 1977

    Example
        >>> STFT(256, hop=80)
        STFT(256, hop=80)
    """

    hyperparameters = {**_Spectrum.hyperparameters, "output": OneOf("magnitude", "power", "complex")}

    def __init__(self, n_fft: int = 512, *, hop: int | None = None, window: int | None = None, output: str = "magnitude"):
        self.n_fft, self.hop, self.window, self.output = n_fft, hop, window, output

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        real, imaginary, saved = self._transform(k, xs[0])
        saved.real, saved.imaginary = real, imaginary
        if self.output == "complex":
            parts = [k.reshape(part, (*part.shape, 1)) for part in (real, imaginary)]
            y = k.concat(parts, axis=3)
        else:
            y = k.add(k.square(real), k.square(imaginary))
            if self.output == "magnitude":
                y = k.sqrt(y)
        saved.y = y
        return masked(k, y, saved.frames), saved

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        dy, real, imaginary = unmasked(k, dy, saved.frames), saved.real, saved.imaginary
        if self.output == "complex":
            parts = [k.reshape(k.slice(dy, 3, i, i + 1), real.shape) for i in (0, 1)]
            return self._transform_backward(k, saved, parts[0], parts[1])
        # Of a silent frame the magnitude has no slope: 0 is one that it may have.
        scale = k.multiply(dy, 2.0) if self.output == "power" else k.divide(dy, k.maximum(saved.y, 1e-30))
        return self._transform_backward(k, saved, k.multiply(scale, real), k.multiply(scale, imaginary))
