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
from .onnx_file import load_onnx

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
    tensors = [_tensor(torch, one, i) for i, one in enumerate(examples)]
    names = [f"x{i}" for i in range(len(tensors))]
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            path = Path(folder) / "module.onnx"
            try:
                wanted = module(*tensors)
            except Exception as error:  # a module is the user's code
                shapes = ", ".join(str(tuple(t.shape)) for t in tensors)
                raise ParameterError(f"from_torch: the module does not take examples of shape {shapes}: {error}") from error
            _export(torch, module, tensors, path, names)
            try:
                network = load_onnx(path, kind, random_state=random_state)
            except ModelFileError as error:
                text = str(error).replace(str(path), path.name).replace(path.name, "from_torch, the exported module")
                raise ModelFileError(text) from error
    finally:
        for part, training in modes.items():
            part.training = training
    _compare(network, [t.numpy() for t in tensors], wanted)
    return network


def _tensor(torch: Any, example: Any, i: int) -> Any:
    found = example.detach().cpu() if isinstance(example, torch.Tensor) else torch.as_tensor(np.asarray(example))
    if not found.ndim or not len(found):
        raise ParameterError(
            f"from_torch: example {i} must have at least one sample along axis 0. Got {tuple(found.shape)}."
        )
    return found.float() if found.is_floating_point() else found


def _export(torch: Any, module: Any, tensors: Sequence[Any], path: Path, names: Sequence[str]) -> None:
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError("onnx", "from_torch", extra="exchange") from error
    free = {name: {0: "samples"} for name in names}
    # Attention is exported by its equations, and not as the one kernel that evaluation has for it.
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what the tracer takes for constant; the outputs are compared below
            # The exporter that traces the module needs no further package.
            torch.onnx.export(
                module, tuple(tensors), str(path), input_names=list(names), dynamic_axes=free, opset_version=_OPERATORS,
                dynamo=False,
            )  # fmt: skip
    except Exception as error:
        raise ModelFileError(f"from_torch: PyTorch cannot export this module to ONNX: {error}") from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _compare(network: NetworkGraph, xs: list[Array], wanted: Any) -> None:
    """ModelFileError unless the network gives for the examples what the module gives."""
    theirs = wanted if isinstance(wanted, (tuple, list)) else [wanted]
    if not all(hasattr(y, "numpy") for y in theirs) or len(theirs) != len(network.output_ids):
        return
    given = [np.moveaxis(x, 1, -1) if x.ndim >= 4 else x for x in xs]
    shapes = network.input_shapes or []
    if any(len(shape) != x.ndim - 1 for shape, x in zip(shapes, given, strict=True)):
        return
    found = _predicted(network, given)
    for i, (mine, y) in enumerate(zip(found, theirs, strict=True)):
        other = np.asarray(y.numpy())
        other = np.moveaxis(other, 1, -1) if other.ndim >= 4 else other
        if mine.shape != other.shape:
            continue
        scale = max(1e-6, float(np.abs(other).max(initial=0.0)))
        if not np.abs(mine - other).max(initial=0.0) <= _TOLERANCE * scale:
            raise ModelFileError(
                f"from_torch: output {i} of the network is another one than the module's for the example, by up to "
                f"{float(np.abs(mine - other).max()):.3g}. The module may decide by its data, which an export cannot follow."
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
