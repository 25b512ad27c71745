"""The part of Caffe's messages that networks for prediction use, as Protocol Buffers describe them.

Names and numbers of fields are those of Caffe's file format (BVLC Caffe 1.0, and the Permute layer of its SSD branch). What
is not listed here is skipped when a file is read.
"""

from __future__ import annotations

from functools import cache
from typing import Any

Field = tuple[int, str, str | None]
#: {message: {field: (number, kind, default or None)}}. Kinds: a scalar type, "Message", with "*" in front where it repeats.
_MESSAGES: dict[str, dict[str, Field]] = {
    "BlobShape": {"dim": (1, "*int64", None)},
    "BlobProto": {
        "num": (1, "int32", None), "channels": (2, "int32", None), "height": (3, "int32", None), "width": (4, "int32", None),
        "data": (5, "*float", None), "shape": (7, "BlobShape", None), "double_data": (8, "*double", None),
    },
    "NetStateRule": {"phase": (1, "Phase", None)},
    "ConvolutionParameter": {
        "num_output": (1, "uint32", None), "bias_term": (2, "bool", "true"), "pad": (3, "*uint32", None),
        "kernel_size": (4, "*uint32", None), "group": (5, "uint32", "1"), "stride": (6, "*uint32", None),
        "pad_h": (9, "uint32", None), "pad_w": (10, "uint32", None), "kernel_h": (11, "uint32", None),
        "kernel_w": (12, "uint32", None), "stride_h": (13, "uint32", None), "stride_w": (14, "uint32", None),
        "axis": (16, "int32", "1"), "dilation": (18, "*uint32", None),
    },
    "PoolingParameter": {
        "pool": (1, "PoolMethod", "MAX"), "kernel_size": (2, "uint32", None), "stride": (3, "uint32", "1"),
        "pad": (4, "uint32", "0"), "kernel_h": (5, "uint32", None), "kernel_w": (6, "uint32", None),
        "stride_h": (7, "uint32", None), "stride_w": (8, "uint32", None), "pad_h": (9, "uint32", None),
        "pad_w": (10, "uint32", None), "global_pooling": (12, "bool", "false"), "round_mode": (13, "RoundMode", "CEIL"),
    },
    "InnerProductParameter": {
        "num_output": (1, "uint32", None), "bias_term": (2, "bool", "true"), "axis": (5, "int32", "1"),
        "transpose": (6, "bool", "false"),
    },
    "LRNParameter": {
        "local_size": (1, "uint32", "5"), "alpha": (2, "float", "1"), "beta": (3, "float", "0.75"),
        "norm_region": (4, "NormRegion", "ACROSS_CHANNELS"), "k": (5, "float", "1"),
    },
    "ReLUParameter": {"negative_slope": (1, "float", "0")},
    "PReLUParameter": {"channel_shared": (2, "bool", "false")},
    "ELUParameter": {"alpha": (1, "float", "1")},
    "SoftmaxParameter": {"axis": (2, "int32", "1")},
    "ConcatParameter": {"concat_dim": (1, "uint32", "1"), "axis": (2, "int32", "1")},
    "SliceParameter": {"slice_dim": (1, "uint32", "1"), "slice_point": (2, "*uint32", None), "axis": (3, "int32", "1")},
    "EltwiseParameter": {"operation": (1, "EltwiseOp", "SUM"), "coeff": (2, "*float", None)},
    "BatchNormParameter": {"eps": (3, "float", "1e-5")},
    "ScaleParameter": {"axis": (1, "int32", "1"), "num_axes": (2, "int32", "1"), "bias_term": (4, "bool", "false")},
    "BiasParameter": {"axis": (1, "int32", "1"), "num_axes": (2, "int32", "1")},
    "PowerParameter": {"power": (1, "float", "1"), "scale": (2, "float", "1"), "shift": (3, "float", "0")},
    "ExpParameter": {"base": (1, "float", "-1"), "scale": (2, "float", "1"), "shift": (3, "float", "0")},
    "FlattenParameter": {"axis": (1, "int32", "1"), "end_axis": (2, "int32", "-1")},
    "ReshapeParameter": {"shape": (1, "BlobShape", None), "axis": (2, "int32", "0"), "num_axes": (3, "int32", "-1")},
    "InputParameter": {"shape": (1, "*BlobShape", None)},
    "PermuteParameter": {"order": (1, "*uint32", None)},
}  # fmt: skip
_ENUMS: dict[str, tuple[str, ...]] = {
    "Phase": ("TRAIN", "TEST"),
    "PoolMethod": ("MAX", "AVE", "STOCHASTIC"),
    "RoundMode": ("CEIL", "FLOOR"),
    "NormRegion": ("ACROSS_CHANNELS", "WITHIN_CHANNEL"),
    "EltwiseOp": ("PROD", "SUM", "MAX"),
    "LayerType": (
        "NONE", "ACCURACY", "BNLL", "CONCAT", "CONVOLUTION", "DATA", "DROPOUT", "EUCLIDEAN_LOSS", "FLATTEN", "HDF5_DATA",
        "HDF5_OUTPUT", "IM2COL", "IMAGE_DATA", "INFOGAIN_LOSS", "INNER_PRODUCT", "LRN", "MULTINOMIAL_LOGISTIC_LOSS",
        "POOLING",
        "RELU", "SIGMOID", "SOFTMAX", "SOFTMAX_LOSS", "SPLIT", "TANH", "WINDOW_DATA", "ELTWISE", "POWER",
        "SIGMOID_CROSS_ENTROPY_LOSS", "HINGE_LOSS", "MEMORY_DATA", "ARGMAX", "THRESHOLD", "DUMMY_DATA", "SLICE", "MVN",
        "ABSVAL",
        "SILENCE", "CONTRASTIVE_LOSS", "EXP", "DECONVOLUTION",
    ),
}  # fmt: skip
#: What layers of both versions may say of themselves: {field: (number in a layer, number in a layer of version 1, message)}.
_PARAMETERS: dict[str, tuple[int, int, str]] = {
    "concat_param": (104, 9, "ConcatParameter"),
    "convolution_param": (106, 10, "ConvolutionParameter"),
    "eltwise_param": (110, 24, "EltwiseParameter"),
    "exp_param": (111, 41, "ExpParameter"),
    "inner_product_param": (117, 17, "InnerProductParameter"),
    "lrn_param": (118, 18, "LRNParameter"),
    "pooling_param": (121, 19, "PoolingParameter"),
    "power_param": (122, 21, "PowerParameter"),
    "relu_param": (123, 30, "ReLUParameter"),
    "softmax_param": (125, 39, "SoftmaxParameter"),
    "slice_param": (126, 31, "SliceParameter"),
    "prelu_param": (131, 0, "PReLUParameter"),
    "reshape_param": (133, 0, "ReshapeParameter"),
    "flatten_param": (135, 0, "FlattenParameter"),
    "batch_norm_param": (139, 0, "BatchNormParameter"),
    "elu_param": (140, 0, "ELUParameter"),
    "bias_param": (141, 0, "BiasParameter"),
    "scale_param": (142, 0, "ScaleParameter"),
    "input_param": (143, 0, "InputParameter"),
    "permute_param": (202, 0, "PermuteParameter"),
}
_LAYER: dict[str, Field] = {
    "name": (1, "string", None), "type": (2, "string", None), "bottom": (3, "*string", None), "top": (4, "*string", None),
    "blobs": (7, "*BlobProto", None), "include": (8, "*NetStateRule", None), "exclude": (9, "*NetStateRule", None),
}  # fmt: skip
_V1_LAYER: dict[str, Field] = {
    "bottom": (2, "*string", None), "top": (3, "*string", None), "name": (4, "string", None), "type": (5, "LayerType", None),
    "blobs": (6, "*BlobProto", None), "include": (32, "*NetStateRule", None), "exclude": (33, "*NetStateRule", None),
}  # fmt: skip
_NET: dict[str, Field] = {
    "name": (1, "string", None), "layers": (2, "*V1LayerParameter", None), "input": (3, "*string", None),
    "input_dim": (4, "*int32", None), "input_shape": (8, "*BlobShape", None), "layer": (100, "*LayerParameter", None),
}  # fmt: skip
_PACKED = ("float", "double", "int64")


@cache
def net_message() -> Any:
    """The class of the message that holds a whole network."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="chainrule/caffe.proto", package="caffe", syntax="proto2")
    messages = dict(_MESSAGES)
    messages["LayerParameter"] = _LAYER | {f: (new, message, None) for f, (new, _, message) in _PARAMETERS.items()}
    messages["V1LayerParameter"] = _V1_LAYER | {
        f: (old, message, None) for f, (_, old, message) in _PARAMETERS.items() if old
    }
    messages["NetParameter"] = _NET
    # An enumeration stands inside the message that uses it, so that equal names of two of them do not meet.
    field_type = descriptor_pb2.FieldDescriptorProto
    for name, fields in messages.items():
        made = file.message_type.add(name=name)
        for field_name, (number, kind, default) in fields.items():
            repeated, kind = kind.startswith("*"), kind.removeprefix("*")
            field = made.field.add(name=field_name, number=number)
            field.label = field_type.LABEL_REPEATED if repeated else field_type.LABEL_OPTIONAL
            if kind in _ENUMS:
                enum = made.enum_type.add(name=kind)
                for value_number, value in enumerate(_ENUMS[kind]):
                    enum.value.add(name=value, number=value_number)
                field.type, field.type_name = field_type.TYPE_ENUM, f".caffe.{name}.{kind}"
            elif kind in messages:
                field.type, field.type_name = field_type.TYPE_MESSAGE, f".caffe.{kind}"
            else:
                field.type = getattr(field_type, f"TYPE_{kind.upper()}")
                if repeated and kind in _PACKED:
                    field.options.packed = True
            if default is not None:
                field.default_value = default
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.NetParameter"))
