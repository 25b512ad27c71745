"""The Dice loss: how little a predicted region and the true one overlap."""

from __future__ import annotations

from ..constraints import Interval
from ._overlap import _Overlap


class DiceLoss(_Overlap):
    """Soft Dice loss of a region, from logits: ``ℓ = 1 − (2 Σ p t + s) / (Σ p + Σ t + s)``, summed over the pixels of a
    sample.

    p is the probability of a pixel: σ(z) of a single output, else softmax(z) over K classes, and then ℓ is the mean over the
    classes. It measures overlap, so a small region counts as much as a large one, where the mean over pixels of a
    cross-entropy is nearly all background. Its gradient is weak far from the target: ``SumLoss([BinaryCrossEntropy(),
    DiceLoss()])`` learns faster.

    Parameters  smooth : s >= 0 = 1, in pixels; keeps a sample without the region from 0 / 0. With s = 0 and neither
                region nor prediction ℓ is 1
    Shapes      z (N, ..., 1) ; y (N, ..., 1) or (N, ...) in [0, 1], or z (N, ..., K) ; y (N, ...) int class indices or
                (N, ..., K) float distributions ; ℓ (N,)
    Backward    with I = Σ p t and U = Σ p + Σ t + s:  dp = −(2 t − (2 I + s) / U) / U ;  dz = dp ⊙ p (1 − p), or
                dz = p ⊙ (dp − Σₖ p dp) of K classes
    Raises      ShapeError when z has no class axis ; DataError for targets that mean nothing ;
                ParameterError when smooth is below 0
    References  Milletari, Navab and Ahmadi, V-Net: fully convolutional neural networks for volumetric medical image
                segmentation, 3DV 2016

    Example
        >>> DiceLoss(smooth=0.5)
        DiceLoss(smooth=0.5)
    """

    name = "dice"
    hyperparameters = {"smooth": Interval(float, 0)}

    def __init__(self, *, smooth: float = 1.0):
        self.smooth = smooth

    def coefficients(self) -> tuple[float, float, float, float]:
        return 2.0, 0.0, 1.0, 1.0
