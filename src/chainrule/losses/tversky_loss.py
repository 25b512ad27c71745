"""The Tversky loss: the overlap of two regions, with a price of its own for each kind of wrong pixel."""

from __future__ import annotations

from ..constraints import Interval
from ._overlap import _Overlap


class TverskyLoss(_Overlap):
    """Soft Tversky loss of a region, from logits: ``ℓ = 1 − (I + s) / (I + α Σ p (1 − t) + β Σ (1 − p) t + s)``, I = Σ p t.

    The sums are over the pixels of a sample. p is the probability of a pixel: σ(z) of a single output, else softmax(z) over
    K classes, and then ℓ is the mean over the classes. α is the price of a pixel that is wrongly put into the region, β that
    of one that is missed: β > α finds more of a small region. With α = β = ½ it is the Dice loss (of smooth 2 s), with
    α = β = 1 that of intersection over union.

    Parameters  alpha α : >= 0 = 0.3, of wrong pixels ; beta β : >= 0 = 0.7, of missed pixels ;
                smooth : s >= 0 = 1, in pixels; keeps a sample without the region from 0 / 0
    Shapes      z (N, ..., 1) ; y (N, ..., 1) or (N, ...) in [0, 1], or z (N, ..., K) ; y (N, ...) int class indices or
                (N, ..., K) float distributions ; ℓ (N,)
    Backward    with the quotient q and its bottom U:  dp = −(t − q ((1 − α − β) t + α)) / U ;  dz = dp ⊙ p (1 − p), or
                dz = p ⊙ (dp − Σₖ p dp) of K classes
    Raises      ShapeError when z has no class axis ; DataError for targets that mean nothing ;
                ParameterError when a number is below 0
    References  Salehi, Erdogmus and Gholipour, Tversky loss function for image segmentation using 3D fully convolutional
                deep networks, MLMI 2017

    Example
        >>> TverskyLoss(0.2, beta=0.8)
        TverskyLoss(0.2, beta=0.8)
    """

    name = "tversky"
    hyperparameters = {
        "alpha": Interval(float, 0),
        "beta": Interval(float, 0),
        "smooth": Interval(float, 0),
    }

    def __init__(self, alpha: float = 0.3, *, beta: float = 0.7, smooth: float = 1.0):
        self.alpha, self.beta, self.smooth = alpha, beta, smooth

    def coefficients(self) -> tuple[float, float, float, float]:
        alpha, beta = float(self.alpha), float(self.beta)
        return 1.0, 1.0 - alpha - beta, alpha, beta
