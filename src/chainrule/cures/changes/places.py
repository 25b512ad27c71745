"""Which layers of a definition a change is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...network import Definition
from .vocabulary import NotApplicable

__all__ = [
    "has_weights",
    "hidden_activations",
    "hidden_weighted",
    "last_weighted",
    "layers_meant",
    "reaches_output",
    "weighted",
    "weights_before",
]


def layers_meant(definition: Definition, value: Any, default: Sequence[str]) -> list[str]:
    """The layers that a change is about: those that it names, or the default ones where it names none.

    Layers that are not in the definition are left out, since another change may have removed them.
    """
    named = [value] if isinstance(value, str) else list(value)
    # The second use of a layer is called "name#2"; both uses are the same layer.
    given = dict.fromkeys(name if name in definition.layers else name.rpartition("#")[0] for name in named)
    return [name for name in given if name in definition.layers] if given else list(default)


def hidden_activations(definition: Definition) -> list[str]:
    """Activations that a layer with weights comes after."""
    return [
        name
        for name, layer in definition.layers.items()
        if layer.role == "activation" and not reaches_output(definition, definition.use(name).output)
    ]


def reaches_output(definition: Definition, tensor: int) -> bool:
    """Whether no layer with weights stands between the tensor and an output."""
    while tensor not in definition.outputs:
        users = definition.users(tensor)
        if len(users) != 1 or has_weights(definition, users[0].layer) or len(users[0].inputs) > 1:
            return False
        tensor = users[0].output
    return True


def has_weights(definition: Definition, name: str) -> bool:
    """Whether the layer multiplies its input by learned numbers."""
    return definition.layers[name].role == "weight"


def weighted(definition: Definition) -> list[str]:
    """All layers with weights."""
    return [n for n in definition.layers if has_weights(definition, n)]


def hidden_weighted(definition: Definition) -> list[str]:
    """Layers with weights that another one comes after. Layers that look up indices, such as Embedding, are left out."""
    return [
        n
        for n in weighted(definition)
        if not reaches_output(definition, definition.use(n).output) and definition.layers[n].index_limit() is None
    ]


def last_weighted(definition: Definition, output: int = 0) -> str:
    """The last layer with weights before an output.

    Raises  NotApplicable when there is none, or several paths lead to the output
    """
    at = definition.outputs[output]
    while (use := definition.maker(at)) is not None:
        if has_weights(definition, use.layer):
            return use.layer
        if len(use.inputs) != 1:
            break
        at = use.inputs[0]
    raise NotApplicable("the output does not come from a single layer with weights")


def weights_before(definition: Definition, name: str) -> str | None:
    """The layer with weights that makes the z of an activation; None where there is no single one."""
    use = definition.use(name)
    while (maker := definition.maker(use.inputs[0])) is not None and len(maker.inputs) == 1:
        if has_weights(definition, maker.layer):
            return maker.layer
        use = maker
    return None
