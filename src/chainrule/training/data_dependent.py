"""Start weights that depend on the data (LSUV): scaled by what each layer really puts out for the first batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..initializers import LSUV, Initializer
from ..initializers import get as get_initializer
from ..network import NetworkGraph
from ..plan import lower_prediction
from .executables import Executables


def data_dependent_parameters(network: NetworkGraph) -> list[tuple[str, str, LSUV]]:
    """(layer, parameter, law) of every parameter whose law asks for data, in the order of the layers."""
    declared, _, _ = network._declare(network.concrete())
    found: list[tuple[str, str, LSUV]] = []
    for call in network.calls:
        for name, parameter in declared.items():
            if name.rpartition(".")[0] != call.name or any(name == other for _, other, _ in found):
                continue
            if not isinstance(parameter.init, (str, Initializer)):
                continue
            law = get_initializer(parameter.init)
            if isinstance(law, LSUV):
                found.append((call.name, name, law))
    return found


def initialise_from_data(network: NetworkGraph, executables: Executables, inputs: Mapping[str, NDArray[Any]]) -> None:
    """Rescales, layer by layer, every weight that is initialised by LSUV.

    Parameters  inputs : the first batch, by the names of the plan's inputs
    """
    wanted = data_dependent_parameters(network)
    if not wanted:
        return
    batch = len(inputs["x0"])
    # A use of its own: the key is not that of any prediction.
    shapes = tuple(inputs[f"x{i}"].shape[1:] for i in range(len(network.input_ids)))
    compiled = executables.get(
        ("layers", batch, shapes), lambda: lower_prediction(network, batch, shapes=shapes, every_layer=True)
    )
    given = {name: inputs[name] for name in compiled.executable.plan.inputs}
    for layer, name, law in wanted:
        for _ in range(law.max_iterations):
            output = compiled.executable.run(given)[f"layer.{layer}"]
            weight, done = law.rescale(network.parameters[name], output)
            if done:
                break
            np.copyto(network.parameters[name], weight)
