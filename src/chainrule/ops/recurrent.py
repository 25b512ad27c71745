"""Ops that run through time: recurrent cells forward and backward, the states one step before, and masks of lengths.

A sequence is (N, T, I): samples, steps, features. The products of a cell with its input need no recurrence, so they are one
large matmul before it: a recurrent op takes a = x W + b of all steps, (N, T, G H) for G gates side by side, and runs the
rest step after step. Its backward op goes the other way and gives da; dW and db are again one product and one sum over all
steps.

Optional inputs come last, in the order of the attribute ``given``, which names them:

    h0, c0            states before the first step, (N, H); zeros where not given
    bias              of the recurrent product (GRU with reset="after"), (H,)
    mask              (N, T), 1 where a step counts; elsewhere the state is handed on and nothing is learned
    dh, dh_last, dc_last   gradients of all hidden states (N, T, H), of the last one, of the last cell state (N, H)

With ``reverse`` time runs from the last step to the first; "last" and "before" mean this order. ``truncate`` = k > 0 lets no
gradient pass from a step number k, 2k, 3k, ... (counted from 0) to the one before.
"""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from .emitter import Emitter
from .table import Attrs, Out, Step, no_flops, op
from .value import Node, Shape, Value

#: Gates of each cell: how many times H the width of a is.
GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}


def _cell(op: str) -> str:
    return op.removesuffix("_backward")


def _sizes(op: str, a: Shape, u: Shape) -> tuple[int, int, int]:
    """N, T and H from a (or what has its shape) and the recurrent weight U."""
    gates = GATES[_cell(op)]
    if len(u) != 2 or u[1] != gates * u[0]:
        raise ShapeError(f"{op}: the recurrent weight must be (H, {gates if gates > 1 else ''}H). Got {u}.")
    if len(a) != 3 or a[2] != gates * u[0]:
        raise ShapeError(f"{op}: expected (N, T, {gates * u[0]}) for {u[0]} units. Got {a}.")
    if a[1] < 1:
        raise ShapeError(f"{op}: a sequence needs at least one step. Got {a}.")
    return a[0], a[1], u[0]


def _check_given(op: str, given: dict[str, Value], n: int, t: int, h: int) -> None:
    wanted = {"mask": (n, t), "bias": (h,), "dh": (n, t, h)}
    for name, value in given.items():
        shape = wanted.get(name, (n, h))
        if value.shape != shape:
            raise ShapeError(f"{op}: {name} must have shape {shape}. Got {value.shape}.")


def given(inputs: tuple[Any, ...], attrs: Attrs) -> dict[str, Any]:
    """The optional inputs by name."""
    names = attrs["given"]
    return dict(zip(names, inputs[len(inputs) - len(names) :], strict=True))


def _forward(op: str) -> Any:
    """The shape rule of a cell: (h, what backward needs ...)."""

    def rule(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
        n, t, h = _sizes(op, inputs[0].shape, inputs[1].shape)
        _check_given(op, given(inputs, attrs), n, t, h)
        states: list[Out] = [((n, t, h), "float")]
        if op == "lstm":
            states.append(((n, t, h), "float"))
        return [*states, ((n, t, 4 * h), "float")] if op != "simple_rnn" else states

    return rule


def _backward(op: str) -> Any:
    """The shape rule of a cell's backward pass: (da, ..., gradients of the first states, the gradient of every state)."""

    def rule(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
        first, u = inputs[0].shape, inputs[1].shape
        cell = _cell(op)
        n, t, h = _sizes(op, (*first[:-1], GATES[cell] * u[0]), u)
        if first != (n, t, h):
            raise ShapeError(f"{op}: expected states {(n, t, h)}. Got {first}.")
        _check_given(op, given(inputs, attrs), n, t, h)
        wide: Out = ((n, t, GATES[cell] * h), "float")
        outs: list[Out] = [wide, wide] if cell == "gru" else [wide]
        return [*outs, *[((n, h), "float")] * (2 if cell == "lstm" else 1), ((n, t, h), "float")]

    return rule


def _flops(node: Node) -> int:
    """The products of every step, and 10 for each gate's elementwise part."""
    n, t, _ = node.inputs[0].shape
    h, wide = node.inputs[1].shape
    return n * t * (2 * h * wide + 10 * wide)


def _previous(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    h = inputs[0].shape
    if len(h) != 3:
        raise ShapeError(f"previous: expected states (N, T, H). Got {h}.")
    _check_given("previous", given(inputs, attrs), *h)
    return [(h, "float")]


def _sequence_mask(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    lengths = inputs[0]
    if lengths.ndim != 1 or lengths.dtype != "int":
        raise ShapeError(f"sequence_mask: expected one int a sample, (N,). Got {lengths.shape} of {lengths.dtype}.")
    return [((*lengths.shape, attrs["steps"]), "float")]


# ------------------------------------------------------------ what happens in one step t
#
# ``@p`` stands for the index of the step before and ``@q`` for that of the step after, in the order in which the op goes
# through time, and ``@b`` for the bias.

_LSTM: list[Step] = [
    (
        "[iₜ fₜ gₜ oₜ]",
        "[σ σ tanh σ] (@0ₜ + h@p @1)",
        r"[i_t \; f_t \; g_t \; o_t]",
        r"[\sigma \; \sigma \; \tanh \; \sigma](@0_{,t} + h@p \, @1)",
    ),
    ("cₜ", "fₜ ⊙ c@p + iₜ ⊙ gₜ", "c_t", r"f_t \odot c@p + i_t \odot g_t"),
    ("hₜ", "oₜ ⊙ tanh(cₜ)", "h_t", r"o_t \odot \tanh(c_t)"),
]
_LSTM_BACKWARD: list[Step] = [
    ("dhₜ", "∂J/∂yₜ + da@q @1ᵀ", r"\mathrm{d}h_t", r"\partial J / \partial y_t + \mathrm{d}a@q \, @1^{\top}"),
    (
        "dcₜ",
        "dhₜ ⊙ oₜ ⊙ (1 − tanh²(cₜ)) + dc@q ⊙ f@q",
        r"\mathrm{d}c_t",
        r"\mathrm{d}h_t \odot o_t \odot (1 - \tanh^2(c_t)) + \mathrm{d}c@q \odot f@q",
    ),
    ("daⁱₜ", "dcₜ ⊙ gₜ ⊙ iₜ ⊙ (1 − iₜ)", r"\mathrm{d}a^i_t", r"\mathrm{d}c_t \odot g_t \odot i_t \odot (1 - i_t)"),
    ("daᶠₜ", "dcₜ ⊙ c@p ⊙ fₜ ⊙ (1 − fₜ)", r"\mathrm{d}a^f_t", r"\mathrm{d}c_t \odot c@p \odot f_t \odot (1 - f_t)"),
    ("daᵍₜ", "dcₜ ⊙ iₜ ⊙ (1 − gₜ²)", r"\mathrm{d}a^g_t", r"\mathrm{d}c_t \odot i_t \odot (1 - g_t^2)"),
    (
        "daᵒₜ",
        "dhₜ ⊙ tanh(cₜ) ⊙ oₜ ⊙ (1 − oₜ)",
        r"\mathrm{d}a^o_t",
        r"\mathrm{d}h_t \odot \tanh(c_t) \odot o_t \odot (1 - o_t)",
    ),
]
_GRU_FIRST: list[Step] = [
    ("[Uʳ Uᶻ Uⁿ]", "@1", r"[U^r \; U^z \; U^n]", "@1"),
    ("[rₜ zₜ]", "σ(@0ₜ + h@p [Uʳ Uᶻ])", r"[r_t \; z_t]", r"\sigma(@0_{,t} + h@p [U^r \; U^z])"),
]
_GRU: dict[str, list[Step]] = {
    "after": [
        *_GRU_FIRST,
        ("nₜ", "tanh(@0ₜ + rₜ ⊙ (h@p Uⁿ + @b))", "n_t", r"\tanh(@0_{,t} + r_t \odot (h@p U^n + @b))"),
        ("hₜ", "(1 − zₜ) ⊙ nₜ + zₜ ⊙ h@p", "h_t", r"(1 - z_t) \odot n_t + z_t \odot h@p"),
    ],
    "before": [
        *_GRU_FIRST,
        ("nₜ", "tanh(@0ₜ + (rₜ ⊙ h@p) Uⁿ)", "n_t", r"\tanh(@0_{,t} + (r_t \odot h@p) U^n)"),
        ("hₜ", "(1 − zₜ) ⊙ nₜ + zₜ ⊙ h@p", "h_t", r"(1 - z_t) \odot n_t + z_t \odot h@p"),
    ],
}
_GRU_BACKWARD: dict[str, list[Step]] = {
    "after": [
        (
            "dhₜ",
            "∂J/∂yₜ + dh@q ⊙ z@q + [daʳ daᶻ r ⊙ daⁿ]@q @1ᵀ",
            r"\mathrm{d}h_t",
            r"\partial J / \partial y_t + \mathrm{d}h@q \odot z@q"
            r" + [\mathrm{d}a^r \; \mathrm{d}a^z \; r \odot \mathrm{d}a^n]@q \, @1^{\top}",
        ),
        (
            "daʳₜ",
            "daⁿₜ ⊙ (h@p Uⁿ + @b) ⊙ rₜ ⊙ (1 − rₜ)",
            r"\mathrm{d}a^r_t",
            r"\mathrm{d}a^n_t \odot (h@p U^n + @b) \odot r_t \odot (1 - r_t)",
        ),
    ],
    "before": [
        (
            "dhₜ",
            "∂J/∂yₜ + dh@q ⊙ z@q + [daʳ daᶻ]@q [Uʳ Uᶻ]ᵀ + r@q ⊙ (daⁿ@q Uⁿᵀ)",
            r"\mathrm{d}h_t",
            r"\partial J / \partial y_t + \mathrm{d}h@q \odot z@q + [\mathrm{d}a^r \; \mathrm{d}a^z]@q [U^r \; U^z]^{\top}"
            r" + r@q \odot (\mathrm{d}a^n@q \, {U^n}^{\top})",
        ),
        (
            "daʳₜ",
            "(daⁿₜ Uⁿᵀ) ⊙ h@p ⊙ rₜ ⊙ (1 − rₜ)",
            r"\mathrm{d}a^r_t",
            r"(\mathrm{d}a^n_t \, {U^n}^{\top}) \odot h@p \odot r_t \odot (1 - r_t)",
        ),
    ],
}
_GRU_MIDDLE: list[Step] = [
    ("daⁿₜ", "dhₜ ⊙ (1 − zₜ) ⊙ (1 − nₜ²)", r"\mathrm{d}a^n_t", r"\mathrm{d}h_t \odot (1 - z_t) \odot (1 - n_t^2)"),
    (
        "daᶻₜ",
        "dhₜ ⊙ (h@p − nₜ) ⊙ zₜ ⊙ (1 − zₜ)",
        r"\mathrm{d}a^z_t",
        r"\mathrm{d}h_t \odot (h@p - n_t) \odot z_t \odot (1 - z_t)",
    ),
]


def _through_time(attrs: Attrs, states: str, lines: list[Step], fixed: int = 2) -> list[Step]:
    """The lines with the indices of the steps before and after, and what a mask does to the states."""
    before, after, tex_before, tex_after = "ₜ₋₁", "ₜ₊₁", "_{t-1}", "_{t+1}"
    if attrs["reverse"]:
        before, after, tex_before, tex_after = after, before, tex_after, tex_before
    if states and "mask" in attrs["given"]:
        text, tex = ", ".join(f"{s}ₜ = {s}@p" for s in states), ", ".join(f"{s}_t = {s}@p" for s in states)
        lines = [*lines, ("mₜ", f"0: {text}", "m_t", rf"0 \Rightarrow {tex}")]
    bias = f"@{fixed + attrs['given'].index('bias')}" if "bias" in attrs["given"] else None
    found = []
    for line in lines:
        left, right, tex_left, tex_right = (part if bias is not None else part.replace(" + @b", "") for part in line)
        found.append(
            (
                left,
                right.replace("@b", bias or "").replace("@p", before).replace("@q", after),
                tex_left,
                tex_right.replace("@b", bias or "").replace("@p", tex_before).replace("@q", tex_after),
            )
        )
    return found


def _simple_rnn_steps(attrs: Attrs) -> list[Step]:
    name = attrs["activation"]
    tex = rf"\{name}" if name == "tanh" else rf"\operatorname{{{name}}}"
    return _through_time(attrs, "h", [("hₜ", f"{name}(@0ₜ + h@p @1)", "h_t", rf"{tex}(@0_{{,t}} + h@p \, @1)")])


def _simple_rnn_backward_steps(attrs: Attrs) -> list[Step]:
    slope, tex = ("(1 − hₜ²)", "(1 - h_t^2)") if attrs["activation"] == "tanh" else ("[hₜ > 0]", "[h_t > 0]")
    last = ("daₜ", f"dhₜ ⊙ {slope}", r"\mathrm{d}a_t", rf"\mathrm{{d}}h_t \odot {tex}")
    return _through_time(attrs, "", [_LSTM_BACKWARD[0], last])


def _gru_backward_steps(attrs: Attrs) -> list[Step]:
    first, last = _GRU_BACKWARD[attrs["reset"]]
    return _through_time(attrs, "", [first, *_GRU_MIDDLE, last], fixed=3)


# What the outputs are called after these lines.
_HS = ("[h₁ … h_T]", r"[h_1 \dots h_T]")
_CS = ("[c₁ … c_T]", r"[c_1 \dots c_T]", 0)
_IFGO, _RZNQ = ("[i f g o]", "[i f g o]", 0), ("[r z n q]", "[r z n q]", 0)
_DA = ("[da₁ … da_T]", r"[\mathrm{{d}}a_1 \dots \mathrm{{d}}a_T]")
_DA_LSTM = ("[daⁱ daᶠ daᵍ daᵒ]", r"[\mathrm{{d}}a^i \; \mathrm{{d}}a^f \; \mathrm{{d}}a^g \; \mathrm{{d}}a^o]")
_DA_GRU = ("[daʳ daᶻ daⁿ]", r"[\mathrm{{d}}a^r \; \mathrm{{d}}a^z \; \mathrm{{d}}a^n]")
_DU_GRU = ("[daʳ daᶻ r ⊙ daⁿ]", r"[\mathrm{{d}}a^r \; \mathrm{{d}}a^z \; r \odot \mathrm{{d}}a^n]", 0)
_DH0, _DC0 = ("dh₀", r"\mathrm{{d}}h_0", 0), ("dc₀", r"\mathrm{{d}}c_0", 0)
_DH = ("dh", r"\mathrm{{d}}h", 0)


def _lstm_steps(attrs: Attrs) -> list[Step]:
    return _through_time(attrs, "hc", _LSTM)


def _lstm_backward_steps(attrs: Attrs) -> list[Step]:
    return _through_time(attrs, "", _LSTM_BACKWARD)


def _gru_steps(attrs: Attrs) -> list[Step]:
    return _through_time(attrs, "h", _GRU[attrs["reset"]])


class Recurrent(Emitter):
    """The Builder's ops through time, on sequences (N, T, ...)."""

    @op("sequence", *_HS, rule=_forward("simple_rnn"), flops=_flops, steps=_simple_rnn_steps, states="h")
    def simple_rnn(
        self,
        a: Value,
        u: Value,
        *,
        activation: str,
        h0: Value | None = None,
        mask: Value | None = None,
        reverse: bool = False,
    ) -> Value:
        """h (N, T, H) with hₜ = activation(aₜ + hₜ₋₁ U); activation is "tanh" or "relu"."""
        return self.emit_given("simple_rnn", (a, u), {"h0": h0, "mask": mask}, activation=activation, reverse=reverse)[0]

    @op(
        "sequence",
        *_DA,
        rule=_backward("simple_rnn_backward"),
        flops=_flops,
        steps=_simple_rnn_backward_steps,
        more=(_DH0, _DH),
    )
    def simple_rnn_backward(
        self,
        h: Value,
        u: Value,
        *,
        activation: str,
        reverse: bool = False,
        truncate: int = 0,
        **given: Value | None,
    ) -> tuple[Value, Value, Value]:
        """(da, dh₀, dhₜ for every step); given: h0, mask, dh, dh_last"""
        attrs = {"activation": activation, "reverse": reverse, "truncate": truncate}
        da, dh0, dh = self.emit_given("simple_rnn_backward", (h, u), given, **attrs)
        return da, dh0, dh

    @op(
        "sequence",
        *_HS,
        rule=_forward("lstm"),
        flops=_flops,
        steps=_lstm_steps,
        more=(_CS, _IFGO),
        states="hc",
    )
    def lstm(
        self,
        a: Value,
        u: Value,
        *,
        h0: Value | None = None,
        c0: Value | None = None,
        mask: Value | None = None,
        reverse: bool = False,
    ) -> tuple[Value, Value, Value]:
        """(h, c, gates) of all steps; gates hold [i f g o] after their activations, (N, T, 4H)"""
        h, c, gates = self.emit_given("lstm", (a, u), {"h0": h0, "c0": c0, "mask": mask}, reverse=reverse)
        return h, c, gates

    @op(
        "sequence",
        *_DA_LSTM,
        rule=_backward("lstm_backward"),
        flops=_flops,
        steps=_lstm_backward_steps,
        more=(_DH0, _DC0, _DH),
    )
    def lstm_backward(
        self, c: Value, u: Value, gates: Value, *, reverse: bool = False, truncate: int = 0, **given: Value | None
    ) -> tuple[Value, Value, Value, Value]:
        """(da, dh₀, dc₀, dhₜ for every step); given: c0, mask, dh, dh_last, dc_last"""
        da, dh0, dc0, dh = self.emit_given("lstm_backward", (c, u, gates), given, reverse=reverse, truncate=truncate)
        return da, dh0, dc0, dh

    @op("sequence", *_HS, rule=_forward("gru"), flops=_flops, steps=_gru_steps, more=(_RZNQ,), states="h")
    def gru(
        self,
        a: Value,
        u: Value,
        *,
        reset: str,
        bias: Value | None = None,
        h0: Value | None = None,
        mask: Value | None = None,
        reverse: bool = False,
    ) -> tuple[Value, Value]:
        """(h, gates); gates hold [r z n q], (N, T, 4H), with q = h U + b for reset="after", else r ⊙ h."""
        given = {"bias": bias, "h0": h0, "mask": mask}
        h, gates = self.emit_given("gru", (a, u), given, reset=reset, reverse=reverse)
        return h, gates

    @op(
        "sequence",
        *_DA_GRU,
        rule=_backward("gru_backward"),
        flops=_flops,
        steps=_gru_backward_steps,
        more=(_DU_GRU, _DH0, _DH),
    )
    def gru_backward(
        self,
        h: Value,
        u: Value,
        gates: Value,
        *,
        reset: str,
        reverse: bool = False,
        truncate: int = 0,
        **given: Value | None,
    ) -> tuple[Value, Value, Value, Value]:
        """(da, gradient of the recurrent product, dh₀, dhₜ for every step); given: bias, h0, mask, dh, dh_last"""
        attrs = {"reset": reset, "reverse": reverse, "truncate": truncate}
        da, du, dh0, dh = self.emit_given("gru_backward", (h, u, gates), given, **attrs)
        return da, du, dh0, dh

    @op("move", "prev({0})", r"\operatorname{{prev}}({0})", rule=_previous, flops=no_flops)
    def previous(self, h: Value, *, h0: Value | None = None, reverse: bool = False) -> Value:
        """The states one step before: hₜ₋₁ at t (hₜ₊₁ with reverse), h0 or 0 at the first"""
        return self.emit_given("previous", (h,), {"h0": h0}, reverse=reverse)[0]

    @op("move", "[t < {0}]", rule=_sequence_mask, flops=no_flops)
    def sequence_mask(self, lengths: Value, steps: int) -> Value:
        """(N, T): 1 at the first ``lengths[n]`` of T steps, else 0"""
        return self.emit("sequence_mask", lengths, steps=steps)[0]
