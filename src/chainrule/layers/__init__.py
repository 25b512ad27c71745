"""Layers: one file each, forward and backward equations side by side."""

from .add import Add
from .base import Activation, Input, Layer, Parameter, State, Tensor, get_activation
from .batch_norm import BatchNorm
from .concat import Concat
from .dense import Dense
from .dropout import Dropout
from .elu import ELU
from .embedding import Embedding, check_indices
from .flatten import Flatten
from .gelu import GELU
from .group_norm import GroupNorm
from .hard_sigmoid import HardSigmoid
from .identity import Identity
from .instance_norm import InstanceNorm
from .layer_norm import LayerNorm
from .leaky_relu import LeakyReLU
from .log_softmax import LogSoftmax
from .multiply import Multiply
from .prelu import PReLU
from .relu import ReLU
from .reshape import Reshape
from .rrelu import RReLU
from .selu import SELU
from .sigmoid import Sigmoid
from .silu import SiLU
from .softmax import Softmax
from .softplus import Softplus
from .softsign import Softsign
from .tanh import Tanh

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "Activation",
    "Add",
    "BatchNorm",
    "Concat",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GroupNorm",
    "HardSigmoid",
    "Identity",
    "Input",
    "InstanceNorm",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LogSoftmax",
    "Multiply",
    "PReLU",
    "Parameter",
    "RReLU",
    "ReLU",
    "Reshape",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "State",
    "Tanh",
    "Tensor",
    "check_indices",
    "get_activation",
]
