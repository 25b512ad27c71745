"""Writes docs/layers.md from the docstrings of the classes: ``python docs/generate.py``."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType

import chainrule.initializers
import chainrule.layers
import chainrule.losses
import chainrule.metrics
import chainrule.optimizers

PAGE = Path(__file__).with_name("layers.md")
_SECTIONS = "Parameters|Attributes|Shapes|Backward|Raises|References|Example"


def render() -> str:
    """The page as it should be."""
    layers = chainrule.layers
    parts = [
        "# Layers, losses, optimizers, initialisers, metrics",
        "<!-- Written by docs/generate.py from the docstrings. Change those, then run: python docs/generate.py -->",
        "Each class has its equations, shapes and references in its docstring: `help(chainrule.layers.GELU)`. `dx` stands "
        "for ∂J/∂x, ⊙ multiplies element by element, [z > 0] is 1 where it holds and else 0; N samples, I inputs, O "
        "outputs, K classes.",
        "## Layers",
        "From `chainrule` or `chainrule.layers`.",
        _table([c for c in _classes(layers, layers.Layer) if not _is_activation(c)], backward=True),
        "## Penalties and constraints of one layer",
        "From `chainrule.layers`: `Dense(64, weight_regularizer=L2(1e-4), weight_constraint=MaxNorm(3.0))`.",
        _table([*_classes(layers, layers.Regularizer), *_classes(layers, layers.WeightConstraint)]),
        "## Activations",
        'Layers too. The name works wherever an activation is asked for: `NeuralClassifier(activation="gelu")`.',
        _table([c for c in _classes(layers, layers.Layer) if _is_activation(c)], attribute="activation_name", backward=True),
        "## Losses",
        "From `chainrule.losses`; `fit(loss=...)` takes the object or the name. ℓ is the loss of a sample, J the mean "
        "over the batch.",
        _table(_classes(chainrule.losses, chainrule.losses.Loss), attribute="name", backward=True),
        "## Optimizers",
        "From `chainrule.optimizers`; `fit(optimizer=...)` takes the object or the name. g is the gradient, η the learning "
        "rate. All take `l1`, `l2`, `weight_decay`, `clip_norm`, `clip_variable_norm` and `clip_value`, but LBFGS, "
        "which takes `l2` only.",
        _table(_classes(chainrule.optimizers, chainrule.optimizers.Optimizer), attribute="name"),
        "## Schedules of the learning rate",
        "From `chainrule.optimizers`; given in place of the number: `Adam(Cosine(0.001, total=2000))`. s counts steps or "
        "epochs.",
        _table(_classes(chainrule.optimizers, chainrule.optimizers.Schedule)),
        "## Initialisers",
        "From `chainrule.initializers`; `Dense(64, weight_init=...)` takes the object or the name. Without one, the law "
        "follows the activation that comes next: He's for the ReLU family, LeCun's for SELU, Glorot's where it saturates.",
        _table(_classes(chainrule.initializers, chainrule.initializers.Initializer), attribute="name"),
        "## Metrics",
        "From `chainrule.metrics`; `fit(metrics=[...])` takes objects and names.",
        _table(_classes(chainrule.metrics, chainrule.metrics.Metric), attribute="name"),
    ]
    return "\n\n".join(parts) + "\n"


def _classes(module: ModuleType, base: type) -> list[type]:
    """The public subclasses of a module, without the bases that only say what a subclass states."""
    found = [getattr(module, name) for name in module.__all__]
    return sorted(
        (c for c in found if inspect.isclass(c) and issubclass(c, base) and c is not base and not _is_base(c)),
        key=lambda c: c.__name__.lower(),
    )


def _is_base(cls: type) -> bool:
    return (inspect.getdoc(cls) or "").startswith("Base of ")


def _is_activation(cls: type) -> bool:
    return bool(getattr(cls, "activation_name", None))


def _table(classes: list[type], *, attribute: str = "", backward: bool = False) -> str:
    columns = ["class", *(["name"] if attribute else []), "what it computes", *(["backward"] if backward else [])]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for cls in classes:
        cells = [f"`{cls.__name__}`"]
        if attribute:
            cells.append(f"`{getattr(cls, attribute)}`")
        cells.append(_prose(cls))
        if backward:
            cells.append(_backward(cls))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _prose(cls: type) -> str:
    """The docstring up to its first section."""
    text = re.split(rf"^(?:{_SECTIONS})\b", inspect.getdoc(cls) or "", maxsplit=1, flags=re.MULTILINE)[0]
    return _cell(" ".join(text.split())).replace("``", "`")


def _backward(cls: type) -> str:
    """The section of that name: equations as code, and the remark in brackets that stands apart at their end as text."""
    section = rf"^Backward\s+(.*?)(?=^(?:{_SECTIONS})\b|\n\n|\Z)"
    found = re.search(section, inspect.getdoc(cls) or "", re.MULTILINE | re.DOTALL)
    if found is None:
        return ""
    equations, *remark = re.split(r"\s{2,}(?=\()", found.group(1).strip(), maxsplit=1)
    return " ".join(_cell(" ".join(part.split())) for part in (f"`{equations}`", *remark))


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
