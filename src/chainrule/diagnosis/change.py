"""Changes to a network or to its training, as data: what a finding proposes and a cure carries out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ParameterError, UnknownNameError
from ..registry import identity

#: The closed vocabulary: {kind: {argument: what it is}}.
KINDS: dict[str, dict[str, str]] = {
    "activation": {"layers": "names of activation layers, () for all hidden ones", "to": "name of an activation"},
    "insert_activation": {"after": "names of layers", "to": "name of an activation"},
    "initialise": {"layers": "names of layers, () for all with weights", "law": 'name of an initializer, "lsuv" among them'},
    "normalise": {"after": "names of layers, () for all hidden ones with weights", "by": '"batch_norm" or "layer_norm"'},
    "residual": {"layers": "names of the layers that are joined over, () for every hidden block of one width"},
    "output": {
        "activation": 'name of the last activation, "identity" for none',
        "loss": "name of the loss",
        "units": "units of the last layer with weights, None to keep them",
        "output": "number of the output, where there are several",
    },
    "scale_inputs": {"method": '"standard": each feature to mean 0 and variance 1'},
    "scale_targets": {"method": '"standard": each target to mean 0 and variance 1'},
    "learning_rate": {
        "factor": "what to multiply the rate by",
        "value": "the new rate, or None",
        "range_test": "whether a range test finds the rate",
    },
    "clip": {"norm": "the largest norm that the whole gradient may have"},
    "optimizer": {"name": "name of the optimizer"},
    "batch_size": {"value": "samples a step"},
    "epochs": {"factor": "what to multiply the epochs by"},
    "early_stopping": {"patience": "epochs"},
    "capacity": {"layers": "names of layers, () for all hidden ones", "factor": "what to multiply the units by"},
    "dropout": {"layers": "names of Dropout layers, () for all (inserted where there are none)", "rate": "share in [0, 1)"},
    "weight_decay": {"value": "the decoupled weight decay; l1 and l2 become 0"},
    "revive": {"layers": "names of activation layers whose dead units are drawn anew"},
    "recurrent": {"layers": "names of recurrent layers, () for every SimpleRNN", "to": '"lstm" or "gru"'},
    "recurrent_init": {"layers": "names of recurrent layers, () for all", "law": "name of an initializer"},
    "forget_bias": {
        "layers": "names of LSTM layers, () for all",
        "value": "the number that the bias of the forget gate starts from",
    },
    "unfreeze": {"layers": "names of frozen layers"},
    "shuffle": {},
    "class_weight": {"value": '"balanced"'},
    "leave_out": {"rows": "numbers of samples"},
    "data": {"advice": "what to change in the data by hand, which no cure can do"},
}

#: How each kind reads; the names in braces are its arguments.
_WORDS = {
    "activation": "replace the activation of {layers} by {to}",
    "insert_activation": "insert {to} after {after}",
    "initialise": "draw the weights of {layers} anew by {law}",
    "recurrent": "replace {layers} by a layer of the kind {to}",
    "recurrent_init": "draw the recurrent weights of {layers} anew by {law}",
    "forget_bias": "let the bias of the forget gate of {layers} begin with {value:g}",
    "normalise": "insert {by} after {after}",
    "residual": "join the input of {layers} to its output (residual)",
    "output": "end in {activation} with the loss {loss}",
    "scale_inputs": "scale every input to mean 0 and variance 1",
    "scale_targets": "scale the targets to mean 0 and variance 1",
    "clip": "clip the norm of the gradient at {norm:g}",
    "optimizer": "use the optimizer {name}",
    "batch_size": "use a batch size of {value}",
    "epochs": "train {factor:g} times as many epochs",
    "early_stopping": "stop early, with a patience of {patience} epochs",
    "capacity": "multiply the units of {layers} by {factor:g}",
    "dropout": "set the Dropout of {layers} to {rate:g}",
    "weight_decay": "set weight decay to {value:g}",
    "revive": "draw the dead units of {layers} anew",
    "unfreeze": "unfreeze {layers}",
    "shuffle": "shuffle the samples before every epoch",
    "class_weight": "weigh the classes by their frequency (class_weight={value!r})",
    "data": "{advice}",
}


@dataclass(frozen=True)
class Change:
    """One concrete change.

    Parameters  kind : one of ``KINDS`` ; arguments : those that ``KINDS[kind]`` names; one that is not given is None, or ()
                for names of layers
    Raises      UnknownNameError for another kind ; ParameterError for an argument that the kind does not have

    Example
        >>> print(Change("activation", {"to": "relu"}))
        replace the activation of all hidden layers by relu
    """

    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Change) and identity(self) == identity(other)

    def __hash__(self) -> int:
        return hash(identity(self))

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownNameError("kind of change", self.kind, KINDS)
        unknown = set(self.arguments) - set(KINDS[self.kind])
        if unknown:
            raise ParameterError(
                f"Change: {self.kind!r} has no argument {sorted(unknown)[0]!r}. It has: {', '.join(KINDS[self.kind])}."
            )

    def __getitem__(self, name: str) -> Any:
        """The argument of this name; where it was not given, None, or () for names of layers."""
        if name not in KINDS[self.kind]:
            raise UnknownNameError("argument of the change", name, KINDS[self.kind])
        return self.arguments.get(name, () if name in ("layers", "after") else None)

    def __str__(self) -> str:
        if self.kind == "learning_rate":
            if self["value"] is not None:
                return f"set the learning rate to {self['value']:g}"
            if self["factor"] is not None and not self["range_test"]:
                return f"multiply the learning rate by {self['factor']:g}"
            return "find the learning rate by a range test"
        if self.kind == "initialise" and self["law"] in (None, "auto", "default"):
            return f"draw the weights of {_named(self['layers'])} anew by the law that fits their activations"
        if self.kind == "leave_out":
            return f"leave out {listed(self['rows'] or ())}"
        shown = {n: _named(self[n]) if n in ("layers", "after") else self[n] for n in KINDS[self.kind]}
        return _WORDS[self.kind].format(**shown)


def listed(rows: Any) -> str:
    """Numbers of samples in words. Parameters  rows : the numbers, a sequence of ints or an array"""
    few = ", ".join(str(int(row)) for row in rows[:5])
    return f"sample{'s' * (len(rows) > 1)} {few}" + (f" and {len(rows) - 5:,} more" if len(rows) > 5 else "")


def _named(layers: Any) -> str:
    names = [layers] if isinstance(layers, str) else list(layers)
    if not names:
        return "all hidden layers"
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
