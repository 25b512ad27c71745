"""Connectionist temporal classification: targets of which nobody knows at which steps they lie."""

from __future__ import annotations

import numpy as np

from ..constraints import Boolean, Interval
from ..errors import DataError, ParameterError, ShapeError
from ..ops.value import Shape
from .base import Array, Builder, Loss, Saved, Value
from .numeric import softmax

#: The longest target.
_LONGEST = 2048


class CTC(Loss):
    """Connectionist temporal classification: ``ℓ = −ln P(y | x)``, for targets whose steps nobody knows.

    P(y | x) is the sum of the probabilities of all paths of T labels that become y when repeats are taken together and then
    blanks ∅ are left out.

    With p = softmax(z) and the states s = [∅ y₁ ∅ y₂ ... y_L ∅] the sum is found forwards and backwards in time, in the log
    domain and in float64, so logits of ±1e4 are exact:

        αₜ(j) = ln pₜ(sⱼ) + log Σᵢ exp αₜ₋₁(i)             i ∈ {j, j−1, and j−2 where sⱼ ≠ ∅ and sⱼ ≠ sⱼ₋₂}
        βₜ(j) = log Σᵢ exp(βₜ₊₁(i) + ln pₜ₊₁(sᵢ))          i ∈ {j, j+1, and j+2 where sⱼ₊₂ ≠ ∅ and sⱼ₊₂ ≠ sⱼ}
        P(y | x) = exp α_T(2L) + exp α_T(2L+1)

    The loss of a sample is the sum over its labels, and J the mean over the samples. Steps that a mask calls padding (see
    Masking) have no part in it.

    Parameters
        blank : int >= 0 = 0, the label that stands for none
        zero_infinity : bool = False ; a target that does not fit into the steps of its sample, which has ℓ = ∞, is an error
            where data come in, and ends a fit; True: such samples are left out of the loss
    Shapes      z (N, T, K), logits of K labels, one of them the blank ; y (N, L) int, each row ended by the first blank, so
                that shorter targets are filled up with blanks and an empty one is a row of blanks; or Sequences of labels,
                of which an empty one is the blank alone ; ℓ (N,)
    Backward    dz = dℓ (p − Σⱼ exp(α(j) + β(j) − ln P(y | x)) [sⱼ = k])
    Raises      ParameterError for a blank below 0 ; ShapeError when z is no sequence of logits, or y is not (N, L) ;
                DataError for labels that are not among the K, for labels behind a blank, and for a target that needs more
                steps than its sample has: one for each label, and one more for the blank between two equal ones
    References  Graves, Fernández, Gomez and Schmidhuber, Connectionist temporal classification: labelling unsegmented
                sequence data with recurrent neural networks, ICML 2006

    Example
        >>> from chainrule import LSTM, Bidirectional, Dense, Network
        >>> x, y = np.random.default_rng(0).normal(size=(4, 9, 3)), np.array([[1, 2, 2], [2, 0, 0], [1, 1, 0], [0, 0, 0]])
        >>> net = Network([Bidirectional(LSTM(8, return_sequences=True)), Dense(3)], random_state=0)
        >>> net = net.fit(x, y, loss=CTC(), epochs=2, verbose=0)
    """

    name = "ctc"
    reduction = "mean"
    own_length = True
    kind = "sequences"
    reads_logits = True
    hyperparameters = {"blank": Interval(int, 0, hint="It is the number of a label."), "zero_infinity": Boolean()}

    def __init__(self, *, blank: int = 0, zero_infinity: bool = False):
        self.blank, self.zero_infinity = blank, zero_infinity

    def own_activation(self, outputs: int) -> str:
        return "softmax"

    # ------------------------------------------------------------ targets

    def target(self, output_shape: Shape) -> list[tuple[Shape, str]]:
        """One form for each length of targets: that of length L has the number L − 1."""
        return [((*output_shape[:1], length), "int") for length in range(1, _LONGEST + 1)]

    def target_form(self, y: Array, output_shape: Shape) -> int:
        if len(output_shape) != 3 or output_shape[2] < 2:
            raise ShapeError(
                f"CTC: expected an output (N, T, K) with the logits of K >= 2 labels for each step, one of them the blank. "
                f"The network's is (N{''.join(f', {s}' for s in output_shape[1:])})."
            )
        if y.ndim != 2 or not 1 <= y.shape[1] <= _LONGEST or y.dtype.kind not in "iub":
            raise ShapeError(
                f"CTC: targets are whole numbers (N, L), with the blank {self.blank} behind the labels of shorter ones, L "
                f"at most {_LONGEST}; or Sequences of labels. Got y of shape {y.shape}, {y.dtype}."
            )
        return int(y.shape[1]) - 1

    def validate_targets(self, y: Array, output_shape: Shape) -> None:
        self.target_form(y, output_shape)
        if self.blank >= output_shape[-1]:
            raise ParameterError(f"CTC: blank={self.blank} is not one of the {output_shape[-1]} labels of the output.")
        self._require_classes(y, output_shape[-1])
        ended = np.maximum.accumulate(y == self.blank, axis=1)
        bad = np.argwhere(ended & (y != self.blank))
        if len(bad):
            at = tuple(map(int, bad[0]))
            raise DataError(
                f"CTC: y[{at[0]}, {at[1]}] = {y[at]} stands behind a blank ({self.blank}), which ends a target. A target "
                f"holds labels alone: leave the blanks out."
            )

    def steps_needed(self, y: Array) -> Array:
        """(N,) the fewest steps in which each target can be written: one a label, and one between two equal labels."""
        there = y != self.blank
        repeats = (y[:, 1:] == y[:, :-1]) & there[:, 1:]
        needed: Array = there.sum(axis=1) + repeats.sum(axis=1)
        return needed

    # ------------------------------------------------------------ equations

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        self.validate()
        loss, dz = k.ctc(z, y, blank=int(self.blank), zero_infinity=self.zero_infinity, mask=k.mask_of(z))
        return loss, Saved(dz=dz)

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        return k.multiply(saved.dz, k.reshape(dl, (*dl.shape, 1, 1)) if dl.shape else dl)

    def prediction(self, z: Array) -> Array:
        return softmax(z)
