"""Layers: one file each, forward and backward equations side by side."""

from .adaptive_average_pool2d import AdaptiveAveragePool2D
from .add import Add
from .arg_max import ArgMax
from .average import Average
from .average_pool1d import AveragePool1D
from .average_pool2d import AveragePool2D
from .average_pool3d import AveragePool3D
from .base import CHANNEL_MAPS, ROLES, Activation, Input, Layer, Parameter, State, Tensor, get_activation
from .batch_norm import BatchNorm
from .binary_conv2d import BinaryConv2D
from .binary_dense import BinaryDense
from .clip import Clip, ReLU6
from .compare import Compare
from .concat import Concat
from .conv1d import Conv1D
from .conv2d import Conv2D
from .conv3d import Conv3D
from .conv_gru2d import ConvGRU2D
from .conv_lstm2d import ConvLSTM2D
from .conv_transpose1d import ConvTranspose1D
from .conv_transpose2d import ConvTranspose2D
from .conv_transpose3d import ConvTranspose3D
from .cropping1d import Cropping1D
from .cropping2d import Cropping2D
from .cropping3d import Cropping3D
from .cumulative_sum import CumulativeSum
from .curve import Curve
from .dense import Dense
from .depth_to_space import DepthToSpace
from .depthwise_conv2d import DepthwiseConv2D
from .divide import Divide
from .dropout import Dropout
from .elu import ELU
from .embedding import Embedding, check_indices
from .flatten import Flatten
from .functions import (
    Absolute,
    Cosine,
    ErrorFunction,
    Exponential,
    Logarithm,
    Power,
    Reciprocal,
    Round,
    Sine,
    Square,
    SquareRoot,
)
from .gelu import GELU
from .global_average_pool import GlobalAveragePool
from .global_max_pool import GlobalMaxPool
from .graph_conv import GraphConv
from .group_norm import GroupNorm
from .gru import GRU
from .hard_sigmoid import HardSigmoid
from .hard_swish import HardSwish
from .identity import Identity
from .instance_norm import InstanceNorm
from .layer_norm import LayerNorm
from .leaky_relu import LeakyReLU
from .learned_array import LearnedArray
from .local_response_norm import LocalResponseNorm
from .log_softmax import LogSoftmax
from .lstm import LSTM
from .masking import Masking
from .mat_mul import MatMul
from .max_pool1d import MaxPool1D
from .max_pool2d import MaxPool2D
from .max_pool3d import MaxPool3D
from .maximum import Maximum
from .mel_spectrogram import MelSpectrogram
from .mfcc import MFCC
from .minimum import Minimum
from .mish import Mish
from .multi_head_attention import MultiHeadAttention
from .multiply import Multiply
from .noise import GaussianDivergence, GaussianNoise, GaussianSample, Noise
from .padding2d import Padding2D
from .permute import Permute
from .picture_statistics import GramMatrix, TotalVariation
from .positional_encoding import PositionalEncoding
from .prelu import PReLU
from .reductions import ReduceMax, ReduceMean, ReduceSum
from .regularizers import L1, L1L2, L2, Regularizer
from .relu import ReLU
from .rescale import Rescale
from .reshape import Reshape
from .resize2d import Resize2D
from .rms_norm import RMSNorm
from .rrelu import RReLU
from .scale import Scale
from .scaled_dot_product_attention import ScaledDotProductAttention
from .selu import SELU
from .sigmoid import Sigmoid
from .sign import Sign
from .silu import SiLU
from .simple_rnn import SimpleRNN
from .slice import Slice
from .softmax import Softmax
from .softplus import Softplus
from .softsign import Softsign
from .spatial_dropout import SpatialDropout
from .spec_augment import SpecAugment
from .spectral_norm import SpectralNorm
from .standardize import Standardize
from .stft import STFT
from .stop_gradient import StopGradient
from .subtract import Subtract
from .subtract_last import SubtractLast
from .tanh import Tanh
from .time_distributed import TimeDistributed
from .up_sampling1d import UpSampling1D
from .up_sampling2d import UpSampling2D
from .up_sampling3d import UpSampling3D
from .weight_constraints import MaxNorm, NonNegative, UnitNorm, WeightConstraint
from .where import Where
from .zero_padding1d import ZeroPadding1D
from .zero_padding2d import ZeroPadding2D
from .zero_padding3d import ZeroPadding3D

__all__ = [
    "CHANNEL_MAPS",
    "ELU",
    "GELU",
    "GRU",
    "L1",
    "L1L2",
    "L2",
    "LSTM",
    "MFCC",
    "ROLES",
    "SELU",
    "STFT",
    "Absolute",
    "Activation",
    "AdaptiveAveragePool2D",
    "Add",
    "ArgMax",
    "Average",
    "AveragePool1D",
    "AveragePool2D",
    "AveragePool3D",
    "BatchNorm",
    "BinaryConv2D",
    "BinaryDense",
    "Clip",
    "Compare",
    "Concat",
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "ConvGRU2D",
    "ConvLSTM2D",
    "ConvTranspose1D",
    "ConvTranspose2D",
    "ConvTranspose3D",
    "Cosine",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "CumulativeSum",
    "Curve",
    "Dense",
    "DepthToSpace",
    "DepthwiseConv2D",
    "Divide",
    "Dropout",
    "Embedding",
    "ErrorFunction",
    "Exponential",
    "Flatten",
    "GaussianDivergence",
    "GaussianNoise",
    "GaussianSample",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "GramMatrix",
    "GraphConv",
    "GroupNorm",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "Input",
    "InstanceNorm",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LearnedArray",
    "LocalResponseNorm",
    "LogSoftmax",
    "Logarithm",
    "Masking",
    "MatMul",
    "MaxNorm",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "Maximum",
    "MelSpectrogram",
    "Minimum",
    "Mish",
    "MultiHeadAttention",
    "Multiply",
    "Noise",
    "NonNegative",
    "PReLU",
    "Padding2D",
    "Parameter",
    "Permute",
    "PositionalEncoding",
    "Power",
    "RMSNorm",
    "RReLU",
    "ReLU",
    "ReLU6",
    "Reciprocal",
    "ReduceMax",
    "ReduceMean",
    "ReduceSum",
    "Regularizer",
    "Rescale",
    "Reshape",
    "Resize2D",
    "Round",
    "Scale",
    "ScaledDotProductAttention",
    "SiLU",
    "Sigmoid",
    "Sign",
    "SimpleRNN",
    "Sine",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "SpatialDropout",
    "SpecAugment",
    "SpectralNorm",
    "Square",
    "SquareRoot",
    "Standardize",
    "State",
    "StopGradient",
    "Subtract",
    "SubtractLast",
    "Tanh",
    "Tensor",
    "TimeDistributed",
    "TotalVariation",
    "UnitNorm",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "WeightConstraint",
    "Where",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "check_indices",
    "get_activation",
]
