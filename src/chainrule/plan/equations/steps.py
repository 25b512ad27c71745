"""What happens inside an op that runs through time, or in several lines: its equations for one step t.

In a template ``@0``, ``@1`` stand for the op's inputs, ``@p`` for the index of the step before and ``@q`` for that of the
step after, in the order in which the op goes through time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Attrs = dict[str, Any]
#: Left side and right side of an equation as text, and the same in LaTeX.
Step = tuple[str, str, str, str]

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


def _simple_rnn(attrs: Attrs) -> list[Step]:
    name = attrs["activation"]
    tex = rf"\{name}" if name == "tanh" else rf"\operatorname{{{name}}}"
    return _through_time(attrs, "h", [("hₜ", f"{name}(@0ₜ + h@p @1)", "h_t", rf"{tex}(@0_{{,t}} + h@p \, @1)")])


def _simple_rnn_backward(attrs: Attrs) -> list[Step]:
    slope, tex = ("(1 − hₜ²)", "(1 - h_t^2)") if attrs["activation"] == "tanh" else ("[hₜ > 0]", "[h_t > 0]")
    last = ("daₜ", f"dhₜ ⊙ {slope}", r"\mathrm{d}a_t", rf"\mathrm{{d}}h_t \odot {tex}")
    return _through_time(attrs, "", [_LSTM_BACKWARD[0], last])


def _gru_backward(attrs: Attrs) -> list[Step]:
    first, last = _GRU_BACKWARD[attrs["reset"]]
    return _through_time(attrs, "", [first, *_GRU_MIDDLE, last], fixed=3)


def _attention(attrs: Attrs) -> list[Step]:
    scale = f"{attrs['scale']:.4g}"
    cases = [("s > t", "s > t")] * attrs["causal"] + [("mₛ = 0", "m_s = 0")] * ("mask" in attrs["given"])
    where = f", −∞ where {' or '.join(text for text, _ in cases)}" if cases else ""
    tex = r", \; -\infty \text{ where } " + r" \text{ or } ".join(t for _, t in cases) if cases else ""
    return [
        ("S", f"{scale} @0 @1ᵀ{where}", "S", rf"{scale} \, @0 \, @1^{{\top}}{tex}"),
        ("P", "softmax(S)", "P", r"\operatorname{softmax}(S)"),
    ]


def _attention_backward(attrs: Attrs) -> list[Step]:
    scale = f"{attrs['scale']:.4g}"
    drop, tex = (" ⊙ m", r" \odot m") if "keep" in attrs["given"] else ("", "")
    return [
        ("dP", f"@0 @3ᵀ{drop}", r"\mathrm{d}P", rf"@0 \, @3^{{\top}}{tex}"),
        ("dS", "P ⊙ (dP − Σₖ dP ⊙ P)", r"\mathrm{d}S", r"P \odot (\mathrm{d}P - \textstyle\sum_k \mathrm{d}P \odot P)"),
        ("dQ", f"{scale} dS @2", r"\mathrm{d}Q", rf"{scale} \, \mathrm{{d}}S \, @2"),
        ("dK", f"{scale} dSᵀ @1", r"\mathrm{d}K", rf"{scale} \, \mathrm{{d}}S^{{\top}} @1"),
    ]


#: {op: its equations from its attributes}
STEPS: dict[str, Callable[[Attrs], list[Step]]] = {
    "simple_rnn": _simple_rnn,
    "simple_rnn_backward": _simple_rnn_backward,
    "lstm": lambda attrs: _through_time(attrs, "hc", _LSTM),
    "lstm_backward": lambda attrs: _through_time(attrs, "", _LSTM_BACKWARD),
    "gru": lambda attrs: _through_time(attrs, "h", _GRU[attrs["reset"]]),
    "gru_backward": _gru_backward,
    "attention": _attention,
    "attention_backward": _attention_backward,
}
