"""PyTorch modules as networks, by way of ONNX."""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingDependencyError, ModelFileError, ParameterError
from ..network import NetworkGraph
from .onnx_file import input_orders, load_onnx

__all__ = ["from_torch"]

Array = NDArray[Any]
N = TypeVar("N", bound=NetworkGraph)
#: The operator set that modules are exported in, and how far the outputs for the example may lie apart, of the largest one.
_OPERATORS, _TOLERANCE = 17, 1e-3


def from_torch(module: Any, examples: Sequence[Any], kind: type[N], *, random_state: Any = None) -> N:
    """The network of a module. Parameters and errors  as of ``chainrule.from_torch``; kind : of the network"""
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError("torch", "from_torch", extra="") from error
    if not isinstance(module, torch.nn.Module):
        raise ParameterError(f"from_torch: expected a torch.nn.Module. Got a {type(module).__name__}.")
    if not examples:
        raise ParameterError("from_torch: give an example of the input, such as torch.zeros(1, 3, 224, 224).")
    nested = [_nested(torch, one, i) for i, one in enumerate(examples)]
    tensors = _flat(nested)
    names = [f"x{i}" for i in range(len(tensors))]
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            path = Path(folder) / "module.onnx"
            try:
                wanted = module(*nested)
            except Exception as error:  # a module is the user's code
                shapes = ", ".join(str(tuple(t.shape)) for t in tensors)
                raise ParameterError(f"from_torch: the module does not take examples of shape {shapes}: {error}") from error
            _export(torch, module, nested, tensors, path, names)
            try:
                network = load_onnx(path, kind, random_state=random_state)
                orders = input_orders(path)
            except ModelFileError as error:
                text = str(error).replace(str(path), path.name).replace(path.name, "from_torch, the exported module")
                raise ModelFileError(text) from error
    finally:
        for part, training in modes.items():
            part.training = training
    if len(orders) == len(tensors):  # else the module leaves an example unused
        _compare(network, [t.numpy().transpose(o) for t, o in zip(tensors, orders, strict=True)], wanted)
    return network


def _nested(torch: Any, example: Any, i: int) -> Any:
    """An example as a tensor, or as a tuple of them, such as the states of an LSTM."""
    if isinstance(example, (tuple, list)) and example and all(isinstance(one, torch.Tensor) for one in example):
        return tuple(_tensor(torch, one, i) for one in example)
    return _tensor(torch, example, i)


def _tensor(torch: Any, example: Any, i: int) -> Any:
    found = example.detach().cpu() if isinstance(example, torch.Tensor) else torch.as_tensor(np.asarray(example))
    if not found.ndim or not len(found):
        raise ParameterError(
            f"from_torch: example {i} must have at least one sample along axis 0. Got {tuple(found.shape)}."
        )
    return found.float() if found.is_floating_point() else found


def _export(
    torch: Any, module: Any, nested: Sequence[Any], tensors: Sequence[Any], path: Path, names: Sequence[str]
) -> None:  # fmt: skip
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError("onnx", "from_torch", extra="exchange") from error
    free = {name: _free_axes(torch, module, tensors, i) for i, name in enumerate(names)}
    # Attention is exported by its equations, and not as the one kernel that evaluation has for it.
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what the tracer takes for constant; the outputs are compared below
            # The exporter that traces the module needs no further package.
            torch.onnx.export(
                module, tuple(nested), str(path), input_names=list(names), dynamic_axes=free, opset_version=_OPERATORS,
                dynamo=False,
            )  # fmt: skip
    except Exception as error:
        raise ModelFileError(f"from_torch: PyTorch cannot export this module to ONNX: {error}") from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _free_axes(torch: Any, module: Any, tensors: Sequence[Any], i: int) -> dict[int, str]:
    """The axes of an example whose sizes are free, by name: that of the samples.

    Recurrent modules may have samples on the second axis, and states always have; which it is the graph then says.
    """
    recurrent = [part for part in module.modules() if isinstance(part, torch.nn.RNNBase)]
    if not recurrent or tensors[i].ndim not in (2, 3):
        return {0: "samples"}
    steps_first = any(not part.batch_first for part in recurrent)
    if i == 0:
        return {0: "steps", 1: "samples"} if steps_first else {0: "samples"}
    samples = tensors[0].shape[1 if steps_first else 0]
    state = tensors[i].ndim == 3 and tensors[i].shape[1] == samples
    return {1: "samples"} if state else {0: "samples"}


def _flat(outputs: Any) -> list[Any]:
    """What a module returns, without the tuples and lists around it."""
    if isinstance(outputs, (tuple, list)):
        return [one for part in outputs for one in _flat(part)]
    return [outputs]


def _compare(network: NetworkGraph, xs: list[Array], wanted: Any) -> None:
    """ModelFileError unless the network gives for the examples what the module gives."""
    theirs = _flat(wanted)
    if not all(hasattr(y, "numpy") for y in theirs) or len(theirs) != len(network.output_ids):
        return
    found = _predicted(network, xs)
    for i, (mine, y) in enumerate(zip(found, theirs, strict=True)):
        other = np.asarray(y.numpy())
        # Here samples come first and the channels of images last.
        turned = [other, *([np.moveaxis(other, 1, -1), other.swapaxes(0, 1)] if other.ndim > 1 else [])]
        apart = [float(np.abs(mine - one).max(initial=0.0)) for one in turned if one.shape == mine.shape]
        scale = max(1e-6, float(np.abs(other).max(initial=0.0)))
        if apart and not min(apart) <= _TOLERANCE * scale:
            raise ModelFileError(
                f"from_torch: output {i} of the network is another one than the module's for the example, by up to "
                f"{min(apart):.3g}. The module may decide by its data, which an export cannot follow."
            )


def _predicted(network: NetworkGraph, xs: list[Array]) -> list[Array]:
    from ..engine.reference import ReferenceEngine
    from ..plan import lower_prediction

    batch = len(xs[0])
    plan = lower_prediction(network, batch, shapes=[x.shape[1:] for x in xs])
    executable = ReferenceEngine(network.dtype).compile(plan, network.arenas())
    dtypes = [np.int32 if d == "int" else network.dtype for d in network.input_dtypes]
    inputs = {f"x{i}": np.ascontiguousarray(x, dtype) for i, (x, dtype) in enumerate(zip(xs, dtypes, strict=True))}
    outputs = executable.run(inputs)
    return [outputs[f"output{i}"] for i in range(len(network.output_ids))]
