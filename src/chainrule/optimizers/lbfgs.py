"""Limited-memory BFGS, for small problems with the whole data in every evaluation."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval, OneOf
from ..errors import DivergenceError, ParameterError, ShapeError
from .base import Builder, Floats, Optimizer, Value

Function = Callable[[Floats], tuple[float, Any]]
State = dict[str, NDArray[Any]]
_Pair = tuple[Floats, Floats, float]  # s, y and sᵀy

_ARMIJO = 1e-4  # a step must lower the loss by this part of what its slope promises
_CURVATURE = 0.9  # and flatten the slope to at most this part
_NOISE = 1e-6  # relative error of a loss computed in float32
_EVALUATIONS = 25  # of one line search
_STALLED = 10  # steps within the noise that are looked through


_BREAKS_THE_SEARCH = (
    "A line search needs a smooth loss and its true gradient, so this argument does not go with it. "
    "Use l2, or another optimizer such as Adam."
)


@dataclass(frozen=True)
class LBFGSResult:
    """Where the search ended.

    Parameters
        w, loss, gradient : the best point found, J and dJ/dw there ; iterations, evaluations : how many it took
        converged : whether a tolerance was met ; message : why it ended
        state : all that the search needs to go on from here to the bit, as arrays by name; see LBFGS.minimise
    """

    w: Floats
    loss: float
    gradient: Floats
    iterations: int
    evaluations: int
    converged: bool
    message: str
    state: State = field(default_factory=dict, repr=False, compare=False)


@dataclass
class _Point:
    """A point of a line search: w = start + alpha d, the loss there, its gradient and its slope along d."""

    alpha: float
    w: Floats
    loss: float
    gradient: Floats
    slope: float

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.loss) and np.isfinite(self.slope))


class LBFGS(Optimizer):
    """Quasi-Newton steps ``w ← w − α H g``, H built from the last ``history`` differences of w and g.

    The step length α satisfies the strong Wolfe conditions. A step needs the loss of the whole data several times, so the
    training loop does not drive this optimizer: it gives ``minimise`` the loss as a function. In a plan the update only
    stores the gradient with its penalty, in the slot "gradient", and leaves the weights alone. Vectors are kept in float64
    whatever the precision of the function.

    Parameters  learning_rate : > 0 = 1.0, the first α tried ; history : int >= 1 = 10 ; l2 : see Optimizer
    Raises      ParameterError for l1, weight_decay and clipping, which break the line search, and for schedules ;
                DivergenceError when the loss is not finite at the start
    References  Liu and Nocedal, On the limited memory BFGS method, Mathematical Programming 45, 1989 ;
                line search: Nocedal and Wright, Numerical Optimization, algorithms 3.5 and 3.6 ;
                loss with rounding errors: Hager and Zhang, SIAM Journal on Optimization 16, 2005

    Example
        >>> import numpy as np
        >>> result = LBFGS().minimise(lambda w: (float(w @ w), 2 * w), np.array([3.0, -4.0]))
        >>> result.converged, bool(np.allclose(result.w, 0))
        (True, True)
    """

    name = "lbfgs"
    slots = ("gradient",)
    full_batch = True
    hyperparameters = {
        "learning_rate": Interval(float, 0, closed="neither", hint="A line search takes no schedule."),
        "history": Interval(int, 1),
        "l1": OneOf(0, hint=_BREAKS_THE_SEARCH),
        "weight_decay": OneOf(0, hint=_BREAKS_THE_SEARCH),
        "clip_norm": OneOf(None, hint=_BREAKS_THE_SEARCH),
        "clip_value": OneOf(None, hint=_BREAKS_THE_SEARCH),
        "clip_variable_norm": OneOf(None, hint=_BREAKS_THE_SEARCH),
    }

    def __init__(self, learning_rate: Any = 1.0, *, history: int = 10, **common: Any):
        super().__init__(learning_rate, **common)
        self.history = history

    def method_equations(self) -> list[tuple[str, str]]:
        steps = f"of the last {self.history} steps"
        search = f"by line search from {self.learning_rate} (strong Wolfe conditions)"
        g = r"\mathrm{gradient}"
        pairs = rf"s = \Delta w, \; y = \Delta {g}"
        return [
            ("p = −H gradient, over all parameters", rf"p &= -H \, {g} && \text{{over all parameters}}"),
            (f"H from the pairs s = Δw, y = Δgradient {steps}", rf"H & \text{{ from the pairs }} {pairs} \text{{ {steps}}}"),
            ("w ← w + α p", r"w &\leftarrow w + \alpha \, p"),
            (f"α {search}", rf"\alpha & \text{{ {search}}}"),
        ]

    def update(self, k: Builder, w: Value, g: Value, slot: dict[str, Value]) -> None:
        k.assign(slot["gradient"], g)

    def minimise(
        self,
        function: Function,
        w0: Any,
        *,
        max_iterations: int = 200,
        tolerance_gradient: float = 1e-5,
        tolerance_change: float = 1e-9,
        callback: Callable[[LBFGSResult], object] | None = None,
        state: Mapping[str, NDArray[Any]] | None = None,
    ) -> LBFGSResult:
        """Searches the w with the least loss.

        Parameters
            function : w (float64, flat) -> (loss, gradient) ; w0 : the start, flat, left as it is
            max_iterations : steps at most, in this call
            tolerance_gradient : ends when no entry of the gradient is larger
            tolerance_change : ends when the loss, relative to max(1, |loss|), or every entry of w changes by less
            callback : called after every step with the result so far; ends the search by returning True
            state : the ``state`` of an earlier result; the search goes on from there to the bit as if it had never stopped,
                and of w0 only the shape matters. Its arrays, of n = w.size numbers each unless told:
                "w", "gradient", "loss" ()              the point reached
                "best.w", "best.gradient", "best.loss"  the best one, left out when it is the same
                "s.0", "y.0", "s.1", ...                the differences of w and of the gradient, oldest first
                "curvature" (pairs,)                    sᵀy = 1/ρ of each pair
                "step" (), "loss_before" ()             the largest change of an entry of w in the last step, the loss before
                "iterations", "evaluations", "stalled"  (), counts
        Raises
            ShapeError : w0 is not flat, or the gradient or the state has another size ; ParameterError : not a state
            DivergenceError : the loss or its gradient is not finite at the start
        """
        self.validate()
        evaluations = iterations = stalled = 0
        change = before = np.inf  # the largest change of an entry of w in the last step, and the loss before it
        converged = False
        pairs: deque[_Pair] = deque(maxlen=self.history)

        def evaluate(w: Floats) -> tuple[float, Floats]:
            nonlocal evaluations
            evaluations += 1
            loss, gradient = function(w)
            found = np.array(gradient, np.float64)
            if found.shape != w.shape:
                raise ShapeError(f"LBFGS: the function must return a gradient of shape {w.shape}. Got {found.shape}.")
            return float(loss), found

        w = np.array(w0, np.float64)
        if w.ndim != 1:
            raise ShapeError(f"LBFGS: w0 must be one flat array. Got shape {w.shape}.")
        if state is None:
            point = best = _Point(0.0, w, *evaluate(w), 0.0)
            if not (np.isfinite(point.loss) and np.isfinite(point.gradient).all()):
                raise DivergenceError(
                    f"LBFGS: the loss ({point.loss}) or its gradient is not finite at the start. Scale the inputs or start "
                    f"smaller."
                )
        else:
            point, best, kept = _unpacked(state, w.size)
            pairs.extend(kept)
            iterations, evaluations, stalled = (int(state[name]) for name in _COUNTS)
            change, before = float(state["step"]), float(state["loss_before"])
        last = iterations + max_iterations

        def result() -> LBFGSResult:
            counts = dict(zip(_COUNTS, map(np.array, (iterations, evaluations, stalled)), strict=True))
            numbers = {"step": np.array(change), "loss_before": np.array(before)}
            packed = {**_packed(point, best, pairs), **numbers, **counts}
            return LBFGSResult(best.w, best.loss, best.gradient, iterations, evaluations, converged, message, packed)

        def tolerance_met() -> str:
            """Which tolerance the last step has met."""
            if float(np.abs(point.gradient).max(initial=0.0)) <= tolerance_gradient:
                return "tolerance_gradient met"
            steady = change <= tolerance_change or abs(before - point.loss) <= tolerance_change * max(1.0, abs(point.loss))
            return "tolerance_change met" if iterations and steady else ""

        message = tolerance_met()
        if message:
            converged, message = True, message + " at the start"
            best = point if message.startswith("tolerance_gradient") else best
            return result()
        message = "max_iterations reached"
        while iterations < last:
            if stalled >= _STALLED:
                message = f"no lower loss in {_STALLED} steps: the precision of the loss is reached"
                break
            w, gradient = point.w, point.gradient
            direction = -_two_loops(gradient, pairs)
            if not gradient @ direction < 0:  # rounding spoilt the curvature: start again from the gradient
                pairs.clear()
                direction = -gradient
            alpha = self.learning_rate * (1.0 if pairs else min(1.0, 1.0 / float(np.abs(gradient).sum())))
            step = _line_search(
                evaluate, _Point(0.0, w, point.loss, gradient, float(gradient @ direction)), direction, alpha
            )
            if step is None:
                if pairs:
                    pairs.clear()
                    continue
                message = "no lower loss along the gradient: the precision of the loss is reached"
                break
            iterations += 1
            s, y = step.w - w, step.gradient - gradient
            change, before = float(np.abs(s).max()), point.loss
            point = step
            stalled = 0 if point.loss < best.loss else stalled + 1
            if point.loss <= best.loss:
                best = point
            curvature = float(s @ y)
            if curvature > 1e-10 * float(np.linalg.norm(s) * np.linalg.norm(y)):
                pairs.append((s, y, curvature))
            met = tolerance_met()
            if met:
                converged, message = True, met
                if met == "tolerance_gradient met":
                    # Equal within the noise of the loss, the point of the smaller gradient is the better one.
                    best = point
            asked = callback is not None and callback(result()) is True
            if converged:
                break
            if asked:
                message = "ended by the callback"
                break
        return result()


_COUNTS = ("iterations", "evaluations", "stalled")


def _packed(point: _Point, best: _Point, pairs: deque[_Pair]) -> State:
    """The arrays of a search; none is copied, as none is changed in place."""
    found: State = {"w": point.w, "gradient": point.gradient, "loss": np.array(point.loss)}
    if best is not point:
        found |= {"best.w": best.w, "best.gradient": best.gradient, "best.loss": np.array(best.loss)}
    for i, (s, y, _) in enumerate(pairs):
        found |= {f"s.{i}": s, f"y.{i}": y}
    return {**found, "curvature": np.array([c for _, _, c in pairs])}


def _unpacked(state: Mapping[str, NDArray[Any]], size: int) -> tuple[_Point, _Point, list[_Pair]]:
    """The point reached, the best one and the pairs."""

    def vector(name: str) -> Floats:
        found = np.array(state[name], np.float64)
        if found.shape != (size,):
            raise ShapeError(f"LBFGS: {name!r} of the state must have the shape of w0, ({size},). Got {found.shape}.")
        return found

    def point(start: str) -> _Point:
        return _Point(0.0, vector(f"{start}w"), float(state[f"{start}loss"]), vector(f"{start}gradient"), 0.0)

    needed = ["w", "gradient", "loss", "curvature", "step", "loss_before", *_COUNTS]
    needed += [f"best.{name}" for name in ("w", "gradient", "loss") if "best.w" in state]
    count = len(state["curvature"]) if "curvature" in state else 0
    needed += [f"{name}.{i}" for i in range(count) for name in "sy"]
    missing = [name for name in needed if name not in state]
    if missing:
        raise ParameterError(f"LBFGS: state must be that of a result of minimise. It lacks {', '.join(missing)}.")
    reached = point("")
    pairs = [(vector(f"s.{i}"), vector(f"y.{i}"), float(state["curvature"][i])) for i in range(count)]
    return reached, point("best.") if "best.w" in state else reached, pairs


def _two_loops(gradient: Floats, pairs: deque[_Pair]) -> Floats:
    """H g from the stored pairs, without H (Nocedal and Wright, algorithm 7.4)."""
    q, factors = gradient.copy(), []
    for s, y, curvature in reversed(pairs):
        a = float(s @ q) / curvature
        q -= a * y
        factors.append(a)
    if pairs:
        _, y, curvature = pairs[-1]
        q *= curvature / float(y @ y)
    for (s, y, curvature), a in zip(pairs, reversed(factors), strict=True):
        q += (a - float(y @ q) / curvature) * s
    return q


def _line_search(
    evaluate: Callable[[Floats], tuple[float, Floats]], start: _Point, direction: Floats, alpha: float
) -> _Point | None:
    """A point that satisfies the strong Wolfe conditions, else the lowest one found, None when none is lower."""
    noise = _NOISE * abs(start.loss)
    best: _Point | None = None

    def at(a: float) -> _Point:
        nonlocal best
        w = start.w + a * direction
        loss, gradient = evaluate(w)
        point = _Point(a, w, loss, gradient, float(gradient @ direction))
        lower = point.finite and np.isfinite(gradient).all() and point.loss < start.loss
        if lower and (best is None or point.loss < best.loss):
            best = point
        return point

    def low_enough(p: _Point) -> bool:
        exact = p.loss <= start.loss + _ARMIJO * p.alpha * start.slope
        # Where rounding hides the decrease, the slopes tell: an approximate Armijo condition.
        hidden = p.loss <= start.loss + noise and p.slope <= (2 * _ARMIJO - 1) * start.slope
        return p.finite and (exact or hidden)

    def flat_enough(p: _Point) -> bool:
        return abs(p.slope) <= -_CURVATURE * start.slope

    tries, before = 0, start
    while True:  # further out, until a minimum along the line lies behind
        point, tries = at(alpha), tries + 1
        if not low_enough(point) or (before is not start and point.loss > before.loss + noise):
            low, high = before, point
            break
        if flat_enough(point):
            return point
        if point.slope >= 0:
            low, high = point, before
            break
        if tries == _EVALUATIONS:
            return best
        alpha, before = _beyond(before, point), point
    while tries < _EVALUATIONS and abs(high.alpha - low.alpha) > 1e-12 * max(low.alpha, high.alpha):
        point, tries = at(_between(low, high)), tries + 1
        if not low_enough(point) or point.loss > low.loss + noise:
            high = point
        elif flat_enough(point):
            return point
        else:
            if point.slope * (high.alpha - low.alpha) >= 0:
                high = low
            low = point
    return best


def _cubic(a: _Point, b: _Point) -> float | None:
    """The minimum of the cubic through two losses and slopes."""
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.alpha - b.alpha)
    under = d1 * d1 - a.slope * b.slope
    if not under >= 0:
        return None
    d2 = np.copysign(np.sqrt(under), b.alpha - a.alpha)
    bottom = b.slope - a.slope + 2 * d2
    found = b.alpha - (b.alpha - a.alpha) * (b.slope + d2 - d1) / bottom if bottom else np.nan
    return float(found) if np.isfinite(found) else None


def _between(low: _Point, high: _Point) -> float:
    """The next trial inside the bracket, not too near to its ends; halfway when the far end is not finite."""
    found = _cubic(low, high) if high.finite else None
    left, right = sorted((low.alpha, high.alpha))
    margin = 0.1 * (right - left)
    return 0.5 * (left + right) if found is None else min(max(found, left + margin), right - margin)


def _beyond(before: _Point, point: _Point) -> float:
    """The next trial beyond the last two, at both of which the loss goes down: where a cubic has its minimum."""
    found = _cubic(before, point)
    return 2.0 * point.alpha if found is None else min(max(found, 1.5 * point.alpha), 10.0 * point.alpha)
