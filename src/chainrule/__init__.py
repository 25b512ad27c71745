"""chainrule: deep learning for the machine most people have.

Names load when they are first used, so that ``import chainrule`` is quick and needs NumPy only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

#: Public names by the module they live in.
_PUBLIC: dict[str, tuple[str, ...]] = {
    "chainrule.model": ("Network",),
    "chainrule.network": ("Bidirectional", "Residual", "TransformerDecoderBlock", "TransformerEncoderBlock"),
    "chainrule.ops": ("SparseMatrix",),
    "chainrule.layers": (
        "AdaptiveAveragePool2D", "Add", "AveragePool1D", "AveragePool2D", "AveragePool3D", "BatchNorm", "BinaryConv2D",
        "BinaryDense", "Concat", "Conv1D", "Conv2D", "Conv3D", "ConvTranspose1D", "ConvTranspose2D", "Cropping1D",
        "Cropping2D", "Dense", "DepthwiseConv2D", "Dropout", "ELU", "Embedding", "Flatten", "GELU", "GRU",
        "GlobalAveragePool", "GlobalMaxPool", "GraphConv", "GroupNorm", "HardSigmoid", "Identity", "Input",
        "InstanceNorm", "LSTM", "LayerNorm", "LeakyReLU", "LogSoftmax", "MFCC", "Masking", "MaxPool1D", "MaxPool2D",
        "MaxPool3D", "MelSpectrogram", "MultiHeadAttention", "Multiply", "PReLU", "PositionalEncoding", "RReLU", "ReLU",
        "Reshape", "SELU", "STFT", "ScaledDotProductAttention", "SiLU", "Sigmoid", "Sign", "SimpleRNN", "Softmax",
        "Softplus", "Softsign", "SpatialDropout", "SpecAugment", "Standardize", "SubtractLast", "Tanh", "TimeDistributed",
        "UpSampling1D", "UpSampling2D", "UpSampling3D", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D",
    ),
    "chainrule.tasks": ("load",),
    "chainrule.importing": ("from_keras", "from_torch", "load_caffe", "load_keras", "load_mxnet", "load_onnx", "load_torch"),
    "chainrule.estimators": ("Autoencoder", "NeuralClassifier", "NeuralForecaster", "NeuralRegressor"),
}  # fmt: skip
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}
_MODULES = (
    "adversarial", "architectures", "data", "engine", "errors", "importing",
    "images", "initializers", "laboratory", "layers", "losses",
    "metrics", "optimizers", "serving", "sounds", "tasks", "testing", "training", "tuning",
)  # fmt: skip

__all__ = ["__version__", *_HOME]

if TYPE_CHECKING:
    from .estimators import Autoencoder as Autoencoder
    from .estimators import NeuralClassifier as NeuralClassifier
    from .estimators import NeuralForecaster as NeuralForecaster
    from .estimators import NeuralRegressor as NeuralRegressor
    from .importing import from_keras as from_keras
    from .importing import from_torch as from_torch
    from .importing import load_caffe as load_caffe
    from .importing import load_keras as load_keras
    from .importing import load_mxnet as load_mxnet
    from .importing import load_onnx as load_onnx
    from .importing import load_torch as load_torch
    from .layers import *  # noqa: F403
    from .model import Network as Network
    from .network import Bidirectional as Bidirectional
    from .network import Residual as Residual
    from .network import TransformerDecoderBlock as TransformerDecoderBlock
    from .network import TransformerEncoderBlock as TransformerEncoderBlock
    from .ops import SparseMatrix as SparseMatrix
    from .tasks import load as load


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"chainrule.{name}")
    raise AttributeError(f"module 'chainrule' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME, *_MODULES])
