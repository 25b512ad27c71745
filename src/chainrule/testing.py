"""Checks for layers, losses and optimizers, those of chainrule and your own.

    check_layer(Dense(3), (4,))                        the equations, by finite differences; the engines, by each other
    check_loss(SquaredError(), (3,), reference=...)    the same for a loss, with every kind of weights
    check_optimizer(Adam(), reference)                 some steps against a formula written in NumPy

Each raises `CheckFailed`, an AssertionError, with a table of what differs, and returns a `CheckReport` when all is well.

How it is proved
    The equations   dJ/dx by ``backward`` against (J(x + h) − J(x − h)) / 2h, in float64 on the reference engine, for every
                    input and every parameter, with J = Σ r ⊙ y for a random r. Where the slopes to the left and to the
                    right disagree the function has a kink and no derivative: such elements are left out, and if they are
                    more than a few the check fails. Random numbers (Dropout) are the same in every evaluation.
    The engines     every engine in float32, with all passes over the plan, against float64 without any. float32 on the
                    reference engine is among them: equations that lose digits are found there.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .engine.base import Engine, Executable
from .engine.reference import ReferenceEngine
from .errors import CheckFailed, EngineError, ParameterError, ShapeError
from .layers import Input, Layer, Parameter
from .losses import Loss
from .network import NetworkGraph
from .ops import Builder, Node, Saved, Value
from .ops.memory import aligned_zeros
from .ops.value import Shape
from .optimizers import Optimizer
from .plan import Plan, lower_training, optimise

__all__ = ["CheckFailed", "CheckReport", "check_layer", "check_loss", "check_optimizer"]

Array = NDArray[Any]
Draw = Callable[[np.random.Generator, Shape, str], Array]

#: Step of the finite differences, relative to max(1, |x|): rounding and truncation are both about 1e-10 there.
STEP = 1e-5
#: One-sided slopes that differ by more than this, relative to 1 + their sizes, tell a kink from curvature.
KINK = 1e-3
#: Rows of the table in the message.
ROWS = 12


@dataclass
class CheckReport:
    """What a check has compared.

    Attributes  engines : compared in float32 ; compared : numbers compared with finite differences ;
                skipped : elements left out because the function has a kink there ;
                largest_error : of the derivatives, relative to 1 + their size
    """

    engines: tuple[str, ...] = ()
    compared: int = 0
    skipped: int = 0
    largest_error: float = 0.0


def check_layer(
    layer: Layer | NetworkGraph,
    *input_shapes: Shape | int,
    seed: int = 0,
    training: bool | None = None,
    rtol: float = 1e-5,
    float32_rtol: float = 2e-5,
    engines: Sequence[str] | None = None,
    batches: Sequence[int] = (1, 2, 5),
    dtypes: Sequence[str] | None = None,
    draw: Draw | None = None,
    max_elements: int = 40,
    max_skipped: float = 0.1,
) -> CheckReport:
    """Checks a layer, or a whole network: shapes, equations and engines.

    It checks that (a) what comes out has the shape that the ops' shape rules promise, for every batch size, (b) ``backward``
    gives one gradient for each input, of its shape, and one for each parameter, (c) these are the derivatives, (d) the same
    seed and step give the same numbers, (e) every engine computes the same in float32.

    Parameters
        layer : with the hyperparameters to check ; input_shapes : of one sample, one for each input
        seed : of parameters, data and random layers
        training : True as in fit, False as in predict, None for both
        rtol : for derivatives, relative to 1 + their size ; float32_rtol : for engines, relative to the largest of an array
        engines : names ("reference", "onednn"); None for all that work here
        batches : numbers of samples to try ; dtypes : for each input "float" or "int" (known for layers that take indices)
        draw : ``draw(rng, shape, dtype)`` gives an input; by default normal numbers, and indices below the limit
        max_elements : of each array whose derivatives are compared, chosen at random
        max_skipped : share of elements at which the layer may have kinks

    Raises      CheckFailed with a table of what differs ; ShapeError when the layer does not take the input shapes ;
                EngineError when an engine that is named does not work here

    Example
        >>> from chainrule.layers import Dense
        >>> check_layer(Dense(3), (4,)).skipped
        0
    """
    shapes = [(s,) if isinstance(s, int) else tuple(s) for s in input_shapes]
    takes_indices = isinstance(layer, Layer) and layer.index_limit() is not None
    kinds = list(dtypes) if dtypes is not None else ["int" if takes_indices else "float"] * len(shapes)
    tensors = [Input(s, dtype=d) for s, d in zip(shapes, kinds, strict=True)]
    own = copy.deepcopy(layer)  # the layer itself may have float32 weights of a network
    network = NetworkGraph(inputs=tensors, outputs=own(*tensors), random_state=seed, dtype="float64").build()
    rng = np.random.default_rng(seed)
    _scatter(network, rng)
    limits = [10 if limit is None else limit for limit in network.index_limits()]
    findings = _Findings(f"check_layer({layer!r})" if isinstance(layer, Layer) else "check_layer(network)")
    machines = _engines(engines)
    findings.report.engines = tuple(machines)
    for mode in (True, False) if training is None else (training,):
        for batch in batches:
            findings.context = f"batch {batch}, {'training' if mode else 'prediction'}"
            data = {}
            for i, (shape, dtype, limit) in enumerate(zip(shapes, kinds, limits, strict=True)):
                x = (draw or _drawer(limit))(rng, (batch, *shape), dtype)
                data[f"x{i}"] = _as(x, dtype, f"draw gave input {i}", (batch, *shape))

            def lower(batch: int = batch, mode: bool = mode, **kwargs: Any) -> Plan:
                # Weight batch × entries / (batch × entries): J is the plain sum of cotangent ⊙ output.
                return lower_training(
                    network, [_Linear()], None, batch, training=mode, loss_weights=[float(batch)], **kwargs
                )

            _check_step(findings, network, lower, data, machines, rng, seed, rtol, float32_rtol, max_elements, False)
    findings.conclude(max_skipped)
    return findings.report


def check_loss(
    loss: Loss,
    output_shape: Shape | int = (4,),
    *,
    reference: Callable[[Array, Array], Array] | None = None,
    draw_output: Draw | None = None,
    draw_target: Draw | None = None,
    seed: int = 0,
    rtol: float = 1e-5,
    float32_rtol: float = 2e-5,
    engines: Sequence[str] | None = None,
    batches: Sequence[int] = (1, 2, 5),
    max_elements: int = 40,
    max_skipped: float = 0.1,
) -> CheckReport:
    """Checks a loss: its value, its derivative, its weights and the engines, for every form of target that it takes.

    Parameters
        loss : to check ; output_shape : of one sample of the network's output z
        reference : ``reference(z, y)`` gives ℓ in NumPy, in float64 and with ℓ's own shape; None leaves the value unchecked.
            Targets with as many numbers as z come in the shape of z
        draw_output, draw_target : ``draw(rng, shape, dtype)`` gives z or y. By default z is normal with deviation 2; y is
            a class index below the last size of z for "int", and for "float" a distribution over the last axis where the
            loss also takes indices, else normal
        seed, rtol, float32_rtol, engines, batches, max_elements, max_skipped : see check_layer

    Raises      CheckFailed with a table of what differs

    Example
        >>> from chainrule.losses import SquaredError
        >>> check_loss(SquaredError(), (3,), reference=lambda z, y: (z - y) ** 2).skipped
        0
    """
    shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
    network = NetworkGraph(inputs=(x := Input(shape)), outputs=_Same()(x), dtype="float64").build()
    rng = np.random.default_rng(seed)
    findings = _Findings(f"check_loss({loss!r})")
    machines = _engines(engines)
    findings.report.engines = tuple(machines)
    for batch in batches:
        forms = loss.target((batch, *shape))
        for form, (target_shape, dtype) in enumerate(forms):
            z = _as(
                (draw_output or _normal(2.0))(rng, (batch, *shape), "float"), "float", "draw_output gave z", (batch, *shape)
            )
            default = _drawer(shape[-1] if shape else 2)
            if dtype == "float" and any(d == "int" for _, d in forms):
                default = _distribution
            y = _as((draw_target or default)(rng, target_shape, dtype), dtype, "draw_target gave y", target_shape)
            for kind in (None, "sample", "element"):
                findings.context = f"batch {batch}, {dtype} targets {target_shape}, weights {kind}"

                def lower(batch: int = batch, form: int = form, kind: str | None = kind, **kwargs: Any) -> Plan:
                    return lower_training(network, [loss], None, batch, targets=[form], weights=[kind], **kwargs)

                data = {"x0": z, "y0": y}
                weight = lower(backward=False).inputs.get("w0")
                if weight is not None:
                    data["w0"] = _single(rng.uniform(0.1, 2.0, weight.shape))
                _check_step(findings, network, lower, data, machines, rng, seed, rtol, float32_rtol, max_elements, True)
                if reference is not None:
                    _check_value(findings, loss, lower, data, reference)
    findings.conclude(max_skipped)
    return findings.report


def check_optimizer(
    optimizer: Optimizer,
    reference: Callable[[Array, Array, int, float, dict[str, Any]], Array],
    *,
    learning_rates: Sequence[float] | None = None,
    size: int = 9,
    steps: int = 4,
    seed: int = 0,
    rtol: float = 1e-9,
    float32_rtol: float = 2e-5,
    engines: Sequence[str] | None = None,
) -> CheckReport:
    """Checks some steps of an optimizer against a formula written in NumPy.

    Parameters
        optimizer : to check
        reference : ``reference(w, g, t, lr, memory)`` gives the weights after step t = 1, 2, ... from those before, the
            gradient and the learning rate, in float64; memory is a dict of its own that starts empty and is kept
        learning_rates : one a step; needed when the optimizer has a schedule instead of a number
        size : number of weights ; steps : to take ; seed : of weights and gradients
        rtol : in float64, float32_rtol : in float32, both relative to the largest weight
        engines : see check_layer

    The gradients are the data of this check: of very different sizes, one of them always 0. Penalties, decay and clipping
    act on the one weight array as in a network, so a reference for an optimizer that has them must do the same.

    Raises      CheckFailed with a table of what differs

    Example
        >>> from chainrule.optimizers import SGD
        >>> check_optimizer(SGD(0.1), lambda w, g, t, lr, memory: w - lr * g).engines[0]
        'reference'
    """
    optimizer.validate()
    if learning_rates is None:
        if not isinstance(optimizer.learning_rate, (int, float)):
            raise ParameterError("check_optimizer: the optimizer has a schedule; give its numbers as learning_rates=[...].")
        learning_rates = [float(optimizer.learning_rate)] * steps
    rates = np.asarray(learning_rates, np.float64)
    steps = len(rates)
    rng = np.random.default_rng(seed)
    network = NetworkGraph(inputs=(x := Input((size,))), outputs=_GradientIsInput()(x), random_state=seed, dtype="float64")
    network.build()
    _scatter(network, rng)
    gradients = _single(rng.standard_normal((steps, size)) * 10.0 ** rng.uniform(-2, 1, (steps, size)))
    gradients[:, 0] = 0
    numbers = optimizer.scalars(np.arange(1.0, steps + 1), rates)

    name = next(iter(network.parameters))
    wanted, w, memory = [], network.parameters[name].copy(), dict[str, Any]()
    for t in range(steps):
        w = np.asarray(reference(w.copy(), gradients[t].copy(), t + 1, float(rates[t]), memory), np.float64)
        wanted.append(w)

    findings = _Findings(f"check_optimizer({optimizer!r})")
    machines = _engines(engines)
    findings.report.engines = tuple(machines)
    ones = np.ones((1, size))
    for label, engine in {"reference float64": ReferenceEngine("float64"), **machines}.items():
        plan = lower_training(network, [_Linear()], optimizer, 1)
        run = _Bound(optimise(plan), engine, network)
        for slot, start in optimizer.slot_start().items():
            if f"slot.{slot}" in run.arenas:
                run.arenas[f"slot.{slot}"][...] = start
        tolerance = rtol if label.endswith("float64") else float32_rtol
        for t in range(steps):
            scalars = {n: float(numbers[n][t]) for n in plan.scalars}
            run.executable.run({"x0": gradients[t : t + 1], "y0": ones}, scalars, step=t, seed=seed)
            findings.context = f"step {t + 1} on {label}"
            got = network.parameters.view(run.arenas["parameters"], name)
            findings.compare("weight", got, wanted[t], tolerance, tolerance * float(np.abs(wanted[t]).max()))
    findings.conclude(1.0)
    return findings.report


# ---------------------------------------------------------------- the pieces


class _Linear(Loss):
    """ℓ = y ⊙ z, so that dJ/dz is the target: any cotangent can be given as data."""

    reduction = "sum"

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        return k.multiply(z, y), Saved(y=y)

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        return k.multiply(saved.y, dl)


class _Same(Layer):
    """y = x: a network for a loss alone."""

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        return xs[0], Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return dy


class _GradientIsInput(Layer):
    """y = x ⊙ w, so that dJ/dw for J = Σ y is the input of a batch of one: any gradient can be given as data."""

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        return {"weight": Parameter(shapes[0][1:], "zeros")}

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        return k.multiply(xs[0], k.param("weight")), Saved(x=xs[0])

    def backward(self, k: Builder, saved: Saved, dy: Value) -> None:
        k.grad("weight", k.sum(k.multiply(dy, saved.x), axis=0))


class _Bound:
    """A plan compiled for one engine, with arenas of its own that start as the network's."""

    def __init__(self, plan: Plan, engine: Engine, network: NetworkGraph) -> None:
        dtype = getattr(engine, "dtype", "float32")
        self.network = network
        self.arenas: dict[str, Array] = {n: aligned_zeros(v.size, dtype) for n, v in plan.arenas.items()}
        # An engine may ask for the arenas of the network even where this plan does not touch them.
        for name in ("parameters", "states", "gradients"):
            size = network.states.flat.size if name == "states" else network.parameters.flat.size
            self.arenas.setdefault(name, aligned_zeros(size, dtype))
        self.executable: Executable = engine.compile(plan, self.arenas)
        self.reset()

    def reset(self) -> None:
        """Parameters and states as the network has them; gradients poisoned, so that one never written is seen."""
        self.arenas["parameters"][...] = self.network.parameters.flat
        self.arenas["states"][...] = self.network.states.flat
        for name, array in self.network.held_arrays().items():
            if name in self.arenas:
                self.arenas[name][...] = array
        self.arenas["gradients"][...] = np.nan

    def __call__(self, data: Mapping[str, Array], seed: int) -> dict[str, Array]:
        self.reset()
        return self.executable.run(data, {}, step=3, seed=seed)

    def gradients(self) -> dict[str, Array]:
        """A copy of every parameter's gradient."""
        return {n: self.network.parameters.view(self.arenas["gradients"], n).copy() for n in self.network.parameters}


@dataclass
class _Findings:
    """Collects what differs, to show all of it at once."""

    title: str
    report: CheckReport = field(default_factory=CheckReport)
    context: str = ""
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, what: str, place: str = "", got: str = "", wanted: str = "") -> None:
        self.rows.append((self.context, what, place, got, wanted))

    def compare(self, what: str, got: Array, wanted: Array, rtol: float, atol: float) -> None:
        """Notes the worst elements for which |got − wanted| > atol + rtol |wanted|; NaN agrees with NaN only."""
        if got.shape != wanted.shape:
            self.add(f"shape of {what}", "", str(got.shape), str(wanted.shape))
            return
        got, wanted = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
        with np.errstate(invalid="ignore"):
            error = np.where((got == wanted) | (np.isnan(got) & np.isnan(wanted)), 0.0, np.abs(got - wanted))
        bad = ~(error <= atol + rtol * np.where(np.isfinite(wanted), np.abs(wanted), 0.0))
        worst = sorted(map(tuple, np.argwhere(bad)), key=lambda at: -np.nan_to_num(error[at], nan=np.inf))
        for at in worst[:3]:
            self.add(what, _place(at), f"{got[at]:.8g}", f"{wanted[at]:.8g}")
        if len(worst) > 3:
            self.add(what, f"and {len(worst) - 3} more")

    def conclude(self, max_skipped: float) -> None:
        """CheckFailed when something differs, or when too little could be compared."""
        found = self.report
        if found.skipped > max_skipped * (found.compared + found.skipped):
            self.context = "all"
            self.add("elements at kinks", "", f"{found.skipped} of {found.compared + found.skipped}", f"≤ {max_skipped:.0%}")
        if not self.rows:
            return
        table = [("case", "what", "where", "got", "expected"), *self.rows[:ROWS]]
        widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in table]
        if len(self.rows) > ROWS:
            lines.append(f"... and {len(self.rows) - ROWS} more rows")
        raise CheckFailed("\n".join([f"{self.title} found differences:", *lines]))


def _check_step(
    findings: _Findings,
    network: NetworkGraph,
    lower: Callable[..., Plan],
    data: dict[str, Array],
    machines: Mapping[str, Engine],
    rng: np.random.Generator,
    seed: int,
    rtol: float,
    float32_rtol: float,
    max_elements: int,
    compare_loss: bool,
) -> None:
    """One forward and backward pass for one batch: shapes, derivatives, engines."""
    full: dict[str, Any] = {"input_gradients": True, "outputs": True}
    try:
        plan = lower(**full)
    except ShapeError as error:
        # The forward pass of this layer was emitted before, for a batch of 2.
        findings.add("shapes, while the equations were written", "", str(error))
        return
    promised = plan.inputs["x0"].shape[:1] + network.output_shapes[0]
    if plan.outputs["output0"].shape != promised:
        findings.add("shape of the output", "", str(plan.outputs["output0"].shape), str(promised))
        return
    if "y0" not in data:
        data["y0"] = _single(rng.standard_normal(plan.inputs["y0"].shape))
    oracle = _Bound(plan, ReferenceEngine("float64"), network)
    wrong: dict[str, tuple[str, str]] = {}

    def watch(node: Node, results: tuple[Array, ...]) -> None:
        for value, result in zip(node.outputs, results, strict=True):
            if value.shape != result.shape:
                wrong[f"shape of the op {node.op} ({node.where})"] = (str(result.shape), str(value.shape))

    oracle.executable.watch = watch  # type: ignore[attr-defined]  # of the reference engine
    result = oracle(data, seed)
    gradients = oracle.gradients()
    for what, (got, expected) in wrong.items():
        findings.add(what, "", got, expected)
    again = oracle(data, seed)
    for name in result:
        findings.compare(f"{name}, the same step again", again[name], result[name], 0.0, 0.0)
    given = {v.name for node in plan.nodes for v in node.outputs if v.base is not None and v.base.name == "gradients"}
    missing = [name for name in network.parameters if name not in given]
    for name in missing:
        findings.add(f"gradient of parameter {name!r}", "", "none", "k.grad(...) in backward")
    if wrong or missing:
        return
    _check_derivatives(findings, network, lower(backward=False), data, result, gradients, rng, seed, rtol, max_elements)

    if not compare_loss:  # a sum with random signs, of no meaning
        del result["loss"]
    wanted = {**result, **{f"gradient of {n}": g for n, g in gradients.items()}}
    for name, engine in machines.items():
        fast = _Bound(optimise(lower(**full)), engine, network)
        found = fast(data, seed)
        found |= {f"gradient of {n}": g for n, g in fast.gradients().items()}
        for key, value in wanted.items():
            scale = float(np.abs(value[np.isfinite(value)]).max(initial=1.0 if key == "loss" else 0.0))
            findings.compare(f"{key} on {name} in float32", found[key], value, float32_rtol, float32_rtol * scale)


def _check_derivatives(
    findings: _Findings,
    network: NetworkGraph,
    plan: Plan,
    data: dict[str, Array],
    result: Mapping[str, Array],
    gradients: Mapping[str, Array],
    rng: np.random.Generator,
    seed: int,
    rtol: float,
    max_elements: int,
) -> None:
    """The gradients against central differences of the loss."""
    run = _Bound(plan, ReferenceEngine("float64"), network)

    def loss() -> float:
        return float(run(data, seed)["loss"])

    centre = loss()
    arrays: list[tuple[str, Array, Array | None]] = []
    for i, dtype in enumerate(network.input_dtypes):
        if dtype == "float":
            arrays.append((f"dx{i}", data[f"x{i}"], result.get(f"dx{i}")))
    arrays += [(f"gradient of {n}", network.parameters[n], g) for n, g in gradients.items()]
    for what, array, derivative in arrays:
        chosen = np.arange(array.size)
        if array.size > max_elements:
            chosen = np.sort(rng.choice(array.size, max_elements, replace=False))
        for flat in chosen:
            at = tuple(int(j) for j in np.unravel_index(flat, array.shape))
            before = array[at]
            h = STEP * max(1.0, abs(float(before)))
            array[at] = before + h
            right = (loss() - centre) / h
            array[at] = before - h
            left = (centre - loss()) / h
            array[at] = before
            if not abs(right - left) <= KINK * (1 + abs(right) + abs(left)):
                findings.report.skipped += 1
                continue
            slope = (right + left) / 2
            got = 0.0 if derivative is None else float(derivative[at])
            error = abs(got - slope) / (1 + abs(slope))
            findings.report.compared += 1
            findings.report.largest_error = max(findings.report.largest_error, error)
            if not error <= rtol:
                shown = "None (no gradient)" if derivative is None else f"{got:.8g}"
                findings.add(f"{what} against finite differences", _place(at), shown, f"{slope:.8g}")


def _check_value(
    findings: _Findings,
    loss: Loss,
    lower: Callable[..., Plan],
    data: dict[str, Array],
    reference: Callable[[Array, Array], Array],
) -> None:
    """J = Σ w ℓ / (batch × entries of ℓ in a sample, for the mean) with the user's ℓ."""
    plan = lower(backward=False)
    z, y = data["x0"].copy(), data["y0"].copy()
    if y.dtype.kind == "f" and y.size == z.size:  # (N,) for an output (N, 1)
        y = y.reshape(z.shape)
    ell = np.asarray(reference(z, y), np.float64)
    batch, w = len(z), data.get("w0")
    if w is not None and w.ndim < ell.ndim:
        w = w.reshape(batch, *(1,) * (ell.ndim - 1))
    entries = loss.entries(ell.shape)
    wanted = (ell if w is None else ell * w).sum() / (batch * entries)
    arenas = {n: aligned_zeros(v.size, np.float64) for n, v in plan.arenas.items()}
    got = ReferenceEngine("float64").compile(plan, arenas).run(data)["loss"]
    findings.compare("loss against the reference formula", got, np.asarray(wanted), 1e-10, 1e-12)


def _engines(names: Sequence[str] | None) -> dict[str, Engine]:
    """The engines of these names in float32. Of all that there are, when None: those that work here."""
    found: dict[str, Engine] = {}
    for name in ("reference", "onednn") if names is None else names:
        if name == "reference":
            found[name] = ReferenceEngine("float32")
            continue
        try:
            from .engine import get_engine  # type: ignore[attr-defined,unused-ignore]

            found[name] = get_engine(name)
        except (EngineError, ImportError, AttributeError) as error:
            if names is not None:
                raise EngineError(f"the engine {name!r} does not work here: {error}") from error
    return found


def _scatter(network: NetworkGraph, rng: np.random.Generator) -> None:
    """Moves every parameter off its start: zeros and equal numbers would hide mistakes."""
    for name in network.parameters:
        array = network.parameters[name]
        array[...] = _single(array + rng.uniform(-0.5, 0.5, array.shape))


def _single(x: Array) -> Array:
    """Rounded to float32 and held in float64, so that both precisions compute from the same numbers."""
    return np.asarray(x, np.float32).astype(np.float64)


def _as(x: Array, dtype: str, what: str, shape: Shape) -> Array:
    if np.shape(x) != shape:
        raise ShapeError(f"{what} of shape {np.shape(x)}, expected {shape}.")
    return np.asarray(x, np.int32) if dtype == "int" else _single(x)


def _normal(deviation: float) -> Draw:
    return lambda rng, shape, dtype: rng.standard_normal(shape) * deviation


def _drawer(limit: int) -> Draw:
    def draw(rng: np.random.Generator, shape: Shape, dtype: str) -> Array:
        return rng.integers(0, limit, shape) if dtype == "int" else rng.standard_normal(shape) * 1.5

    return draw


def _distribution(rng: np.random.Generator, shape: Shape, dtype: str) -> Array:
    return rng.dirichlet(np.ones(shape[-1]), shape[:-1])


def _place(at: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, at))}]" if at else ""
