"""Networks of other libraries as ``Network``: trainable, with equations, saved like any other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import ChainruleError, ModelFileError, ParameterError
from .exchange import caffe_file, keras_file, mxnet_file, onnx_file, torch_file
from .model import Network

__all__ = ["from_keras", "from_torch", "load_caffe", "load_foreign", "load_keras", "load_mxnet", "load_onnx", "load_torch"]

Path = str | os.PathLike[str]


def load_onnx(path: Path, *, shapes: dict[str, tuple[int | None, ...]] | None = None, random_state: Any = None) -> Network:
    """The network of an ONNX file; see chainrule.exchange.onnx_file.

    Images are (N, H, W, C) as everywhere in chainrule, whatever the file has. The number of samples is free.

    Parameters  path : of a file of operator set 7 or newer ; shapes : {input: its sizes as the file has them}, for sizes
                that the file leaves open, None for one that stays open ; random_state : as of Network
    Raises      MissingDependencyError without the package onnx ; ModelFileError when the file is damaged or foreign, or
                holds nodes that have no counterpart, which are named
    """
    with _reading(path):
        return _as_trained(onnx_file.load_onnx(path, Network, shapes=shapes, random_state=random_state))


def load_keras(path: Path, *, random_state: Any = None) -> Network:
    """The network of a ``.keras`` or ``.h5`` file of Keras 1 to 3; see chainrule.exchange.keras_file.

    Raises      MissingDependencyError without the package h5py ; ModelFileError
    """
    with _reading(path):
        return _as_trained(keras_file.load_keras(path, Network, random_state=random_state))


def load_caffe(prototxt: Path, caffemodel: Path, *, random_state: Any = None) -> Network:
    """The network of a ``.prototxt`` and a ``.caffemodel``; see chainrule.exchange.caffe_file.

    Raises      MissingDependencyError without the package protobuf ; ModelFileError
    """
    with _reading(prototxt):
        return _as_trained(caffe_file.load_caffe(prototxt, caffemodel, Network, random_state=random_state))


def load_mxnet(symbol: Path, params: Path, *, shape: tuple[int, ...] | None = None, random_state: Any = None) -> Network:
    """The network of a ``-symbol.json`` and a ``.params``; see chainrule.exchange.mxnet_file.

    Parameters  shape : of one sample as MXNet has it, such as (3, 224, 224), where it cannot be found from the weights
    Raises      ModelFileError
    """
    with _reading(symbol):
        return _as_trained(mxnet_file.load_mxnet(symbol, params, Network, shape=shape, random_state=random_state))


def load_torch(path: Path) -> dict[str, Any]:
    """The tensors of a ``.safetensors``, ``.pt`` or ``.pth`` file by name, read without running code.

    ``Network.load_weights`` puts them into a network. See chainrule.exchange.torch_file.

    Raises      ModelFileError when the file is damaged or foreign, or holds more than tensors
    """
    with _reading(path):
        return torch_file.load_torch(path)


def from_torch(module: Any, *examples: Any, random_state: Any = None) -> Network:
    """The network of a PyTorch module, with its weights: the module is exported to ONNX, and that is read.

    The module is looked at as in evaluation, and stays as it was. Images are (N, H, W, C) here. The number of samples is
    free; all other sizes are those of the example.

    Parameters
        module : a torch.nn.Module ; examples : one for each argument of its forward, tensors or arrays with the samples
            along axis 0, images as (N, C, H, W)
        random_state : as of Network
    Raises      MissingDependencyError without the packages torch and onnx ; ParameterError for what is no module, or an
                example that it does not take ; ModelFileError for a module that cannot be exported, has parts without a
                counterpart, which are named, or is another function here than there for the example

    Example
        >>> import torch
        >>> from chainrule import from_torch
        >>> module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
        >>> from_torch(module, torch.zeros(1, 4))
        Network([Dense(8), Tanh(), Dense(2)], 58 parameters)
    """
    from .exchange import torch_module

    return _as_trained(torch_module.from_torch(module, examples, Network, random_state=random_state))


def from_keras(model: Any, *, random_state: Any = None) -> Network:
    """The network of a Keras model, with its weights: as ``load_keras`` reads it from a file that the model is saved to.

    Parameters  model : a keras.Model that is built ; random_state : as of Network
    Raises      MissingDependencyError without the package h5py ; ParameterError for what is no model of Keras, or one that
                is not built ; ModelFileError for a layer that has no counterpart in chainrule
    """
    return _as_trained(keras_file.from_keras(model, Network, random_state=random_state))


def load_foreign(path: Path, weights: Path | None = None, *, shape: tuple[int, ...] | None = None) -> Network:
    """The network of a file of any kind that chainrule reads, which its name tells.

    Parameters
        path : ``.onnx``, ``.keras``, ``.h5`` or ``.hdf5``; ``.prototxt`` or ``-symbol.json`` with their weights
        weights : the ``.caffemodel`` or ``.params`` that belongs to it
        shape : of one sample as the file has it, where the file leaves it open
    Raises      ParameterError for a file of another kind, or where one of two files is missing ; as the function for its
                kind
    """
    kind = os.fspath(path).lower()
    if kind.endswith((".prototxt", ".json")):
        if weights is None:
            other = "net.caffemodel" if kind.endswith(".prototxt") else "net.params"
            raise ParameterError(
                f"{os.fspath(path)!r} says what the layers are; their weights are in a second file, {other}. Give both."
            )
        return load_caffe(path, weights) if kind.endswith(".prototxt") else load_mxnet(path, weights, shape=shape)
    if weights is not None:
        raise ParameterError(
            f"{os.fspath(path)!r} holds its weights itself. Leave the second file {os.fspath(weights)!r} out."
        )
    if kind.endswith(".onnx"):
        return load_onnx(path, shapes=None if shape is None else onnx_file.shapes_for(path, shape))
    if kind.endswith((".keras", ".h5", ".hdf5")):
        return load_keras(path)
    if kind.endswith((".pt", ".pth", ".safetensors")):
        raise ParameterError(
            f"{os.fspath(path)!r} holds weights, and not what the layers are. Export the module to ONNX and read "
            f"that; or build the "
            f"network in Python and give it the weights: network.load_weights({os.fspath(path)!r})."
        )
    raise ParameterError(
        f"{os.fspath(path)!r} is of an unknown kind. Known: .onnx, .keras, .h5, .prototxt with .caffemodel, "
        f"-symbol.json with .params."
    )


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what no reader foresaw into a ModelFileError: the content comes from a file, and nobody has checked it."""
    try:
        yield
    except ChainruleError:
        raise
    except Exception as error:
        raise ModelFileError(
            f"{os.fspath(path)!r:.300} cannot be read: it is damaged, or says something that was not foreseen "
            f"({type(error).__name__}: {error!s:.200}). Take another copy, or export it again."
        ) from error


def _as_trained(network: Network) -> Network:
    network._trained = True
    return network
