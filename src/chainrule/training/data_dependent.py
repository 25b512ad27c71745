"""What the first fit takes from the data: statistics of inputs and targets (Standardize), and start weights (LSUV), scaled
by what each layer really puts out for the first batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..initializers import Initializer
from ..initializers import get as get_initializer
from ..network import NetworkGraph
from ..plan import lower_prediction
from .executables import Executables


def data_dependent_parameters(network: NetworkGraph) -> list[tuple[str, str, Initializer]]:
    """(layer, parameter, law) of every parameter whose law asks for data, in the order of the layers."""
    declared = network.declared()
    found: list[tuple[str, str, Initializer]] = []
    for call in network.calls:
        for name, parameter in declared.items():
            if name.rpartition(".")[0] != call.name or any(name == other for _, other, _ in found):
                continue
            if not isinstance(parameter.init, (str, Initializer)):
                continue
            law = get_initializer(parameter.init)
            if law.data_dependent:
                found.append((call.name, name, law))
    return found


def standardising_layers(network: NetworkGraph) -> list[tuple[str, str, bool]]:
    """(layer, name of the array in a feed that it measures, whether it measures targets) of every layer that takes its
    states from the data, such as Standardize.

    Raises  ParameterError when one that measures inputs is connected to none, or one that measures targets is no output
    """
    found: dict[str, tuple[str, str, bool]] = {}
    for call in network.calls:
        if call.layer.measures is None or call.name in found:
            continue
        inverse = call.layer.measures == "targets"
        places, at = (network.output_ids, call.output) if inverse else (network.input_ids, call.inputs[0])
        if at not in places:
            where = "make an output of the network" if inverse else "stand directly at an input of the network"
            raise ParameterError(
                f"fit: the layer {call.name!r}, {call.layer!r}, must {where}, because it takes its mean and scale from the "
                f"{'targets' if inverse else 'inputs'}. Use BatchNorm or LayerNorm inside a network."
            )
        found[call.name] = (call.name, f"{'y' if inverse else 'x'}{places.index(at)}", inverse)
    return list(found.values())


def measure_statistics(network: NetworkGraph, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Gives every layer that measures the data its states, such as the mean and scale of Standardize.

    Parameters  arrays : all training samples, by the names of the plan's inputs
    """
    for layer, name, inverse in standardising_layers(network):
        if all(v.started for full, v in network.states.variables.items() if full.rpartition(".")[0] == layer):
            continue  # measured by the fit of another network that has this layer
        own, data = network.layer(layer), arrays[name]
        width = next(len(values) for state, values in network.states.items() if state.rpartition(".")[0] == layer)
        if inverse and (data.dtype.kind != "f" or data.size % width):
            raise ParameterError(f"fit: the layer {layer!r} measures numeric targets; those of this loss are classes.")
        if data.ndim < 2 or data.shape[-1] != width:
            data = data.reshape(-1, width)
        for state, values in own.measure(data).items():
            network.states[f"{layer}.{state}"][...] = values


def initialise_from_data(
    network: NetworkGraph, executables: Executables, inputs: Mapping[str, NDArray[Any]], taken_out: Collection[str] = ()
) -> None:
    """Rescales, layer by layer, every weight whose law depends on the data, as LSUV does.

    Weights that another network was fitted with stay as they are.

    Parameters  inputs : the first batch, by the names of the plan's inputs ; taken_out : as of ``lower_prediction``
    """
    variables = network.parameters.variables
    wanted = [found for found in data_dependent_parameters(network) if not variables[found[1]].started]
    if not wanted:
        return
    batch = len(inputs["x0"])
    # The key differs from that of every prediction, because this plan has other outputs.
    shapes = tuple(inputs[f"x{i}"].shape[1:] for i in range(len(network.input_ids)))
    compiled = executables.get(
        ("layers", batch, shapes, *sorted(taken_out)),
        lambda: lower_prediction(network, batch, shapes=shapes, every_layer=True, taken_out=taken_out),
    )
    given = {name: inputs[name] for name in compiled.executable.plan.inputs}
    for layer, name, law in wanted:
        for _ in range(law.max_iterations):
            output = compiled.executable.run(given)[f"layer.{layer}"]
            weight, done = law.rescale(network.parameters[name], output)
            if done:
                break
            np.copyto(network.parameters[name], weight)
