"""Every operator of ONNX that is read, in each operator set from 7 on, beside ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
from onnx import helper, numpy_helper  # noqa: E402

#: What onnx and ONNX Runtime both know.
NEWEST = min(onnx.defs.onnx_opset_version(), 23)
#: The newest version of the file format that each operator set is read in.
_IR = {7: 3, 8: 3, 9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9}
rng = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def positive(*shape: int) -> np.ndarray:
    return np.abs(numbers(*shape)) + np.float32(0.2)


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@dataclass
class Case:
    """A small graph. Attributes  nodes : the last one makes "y" ; arrays : constants ; inputs : data ; image : whether the
    first input has channels, which stand last here"""

    name: str
    nodes: list[Any]
    inputs: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    image: bool = False


def node(op: str, inputs: str = "x", outputs: str = "y", **attributes: Any) -> Any:
    """A node; names are separated by spaces, and "-" stands for one that is left out."""
    return helper.make_node(op, [n.replace("-", "") for n in inputs.split()], outputs.split(), **attributes)


PLAIN = (
    "Relu", "Sigmoid", "Tanh", "Exp", "Abs", "Neg", "Softplus", "Softsign", "HardSwish", "Mish", "Erf", "Identity", "Elu",
    "LeakyRelu", "Selu", "Gelu", "HardSigmoid", "ThresholdedRelu", "Celu", "Sign", "Sinh", "Cosh", "Softmax", "LogSoftmax",
    "Flatten", "Sin", "Cos", "Floor", "Ceil", "Round",
)  # fmt: skip


def known(op: str, version: int) -> bool:
    try:
        return onnx.defs.get_schema(op, version) is not None
    except Exception:
        return False


def cases(v: int) -> Iterator[Case]:
    """All graphs that an operator set can say."""
    image = numbers(2, 4, 6, 8)
    for op in PLAIN:
        if known(op, v):
            yield Case(op, [node(op)], {"x": numbers(3, 5)})
    for op in ("Sqrt", "Log", "Reciprocal"):
        yield Case(op, [node(op)], {"x": positive(3, 5)})
    yield Case("Transpose", [node("Transpose", perm=[0, 2, 1])], {"x": numbers(2, 3, 4)})
    if v >= 20:
        yield Case("Gelu by tanh", [node("Gelu", approximate="tanh")], {"x": numbers(3, 5)})
    yield Case("Softmax of axis 1", [node("Softmax", axis=1)], {"x": numbers(2, 3, 4, 5)})
    if v < 11:
        yield Case("Clip", [node("Clip", min=-0.5, max=0.7)], {"x": numbers(3, 5)})
    else:
        limits = {"a": np.float32(-0.5), "b": np.float32(0.7)}
        yield Case("Clip", [node("Clip", "x a b")], {"x": numbers(3, 5)}, limits)
        yield Case("Clip above", [node("Clip", "x - b")], {"x": numbers(3, 5)}, limits)
    yield Case("PRelu", [node("PRelu", "x s")], {"x": image}, {"s": numbers(4, 1, 1)})
    yield Case("LRN", [node("LRN", size=3, alpha=0.5, beta=0.6, bias=2.0)], {"x": image}, image=True)
    yield from joined(v)
    yield from reduced(v, image)
    yield from moved(v, image)
    yield from convolved(image)
    yield from pooled(v, image)
    yield from normalised(v, image)
    yield from resized(v, image)
    yield from conditions(v)
    yield from products(v)


def joined(v: int) -> Iterator[Case]:
    for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Mean", "Sum"):
        if v < 8 and op in ("Max", "Min", "Mean", "Sum"):
            continue
        yield Case(op, [node(op, "x z")], {"x": numbers(3, 5), "z": positive(3, 5)})
        yield Case(f"{op} of a constant", [node(op, "x z")], {"x": numbers(3, 5)}, {"z": positive(5)})
        yield Case(f"{op} of a constant first", [node(op, "z x")], {"x": positive(3, 5)}, {"z": positive(1, 5)})
        yield Case(f"{op} repeated", [node(op, "x z")], {"x": numbers(3, 4, 5), "z": positive(3, 1, 5)})
    yield Case("Pow 2", [node("Pow", "x e")], {"x": numbers(3, 5)}, {"e": np.float32(2)})
    yield Case("Pow 1.3", [node("Pow", "x e")], {"x": positive(3, 5)}, {"e": np.float32(1.3)})


def reduced(v: int, image: np.ndarray) -> Iterator[Case]:
    names = ("Mean", "Max", "Sum", "L2", "Min", "L1", "SumSquare", "LogSumExp", "Prod")
    for op in (f"Reduce{n}" for n in names):
        as_input = v >= 18 or (op == "ReduceSum" and v >= 13)
        for axes, keep in (([2, 3], 1), ([2, 3], 0), ([1], 1), ([-1], 0)):
            given = {"a": whole(*axes)} if as_input else {}
            one = node(op, "x a", keepdims=keep) if as_input else node(op, axes=axes, keepdims=keep)
            yield Case(f"{op} {axes} {keep}", [one], {"x": image}, given)
    for op in ("ArgMax", "ArgMin"):
        for axis, keep in ((1, 0), (2, 1), (-1, 0)):
            yield Case(f"{op} {axis} {keep}", [node(op, "x", "i", axis=axis, keepdims=keep), node("Cast", "i", to=1)],
                       {"x": numbers(3, 5, 4)})  # fmt: skip
    if v >= 11:
        for options in ({}, {"exclusive": 1}, {"reverse": 1}, {"exclusive": 1, "reverse": 1}):
            yield Case(f"CumSum {options}", [node("CumSum", "x a", **options)], {"x": numbers(3, 5, 2)}, {"a": np.int64(1)})


def moved(v: int, image: np.ndarray) -> Iterator[Case]:
    mul = node("Mul", "b b")
    if v >= 13:
        yield Case("Split", [node("Split", "x s", "a b", axis=1), mul], {"x": image}, {"s": whole(1, 3)})
        squeeze = [node("Unsqueeze", "x a", "u"), node("Relu", "u", "r"), node("Squeeze", "r b")]
        yield Case("Squeeze", squeeze, {"x": numbers(3, 5)}, {"a": whole(1, 3), "b": whole(1)})
    else:
        yield Case("Split", [node("Split", "x", "a b", axis=1, split=[1, 3]), mul], {"x": image})
        squeeze = [node("Unsqueeze", "x", "u", axes=[1, 3]), node("Relu", "u", "r"), node("Squeeze", "r", axes=[1])]
        yield Case("Squeeze", squeeze, {"x": numbers(3, 5)})
    if v >= 10:
        places = {"s": whole(1, 2), "e": whole(3, 10**9), "a": whole(1, 3)}
        yield Case("Slice", [node("Slice", "x s e a")], {"x": image}, places)
        places = {"s": whole(0), "e": whole(10**9), "a": whole(2), "t": whole(2)}
        yield Case("Slice by steps", [node("Slice", "x s e a t")], {"x": image}, places)
        places = {"s": whole(-1), "e": whole(-(2**63) + 1), "a": whole(1), "t": whole(-1)}
        yield Case("Slice backwards", [node("Slice", "x s e a t")], {"x": numbers(3, 5)}, places)
    else:
        yield Case("Slice", [node("Slice", axes=[1, 3], starts=[1, 2], ends=[3, 100])], {"x": image})
    yield Case("Gather one", [node("Gather", "x i", axis=1)], {"x": numbers(3, 5, 4)}, {"i": np.array(2)})
    yield Case("Gather several", [node("Gather", "x i", axis=1)], {"x": numbers(3, 5, 4)}, {"i": whole(2, 0, 3)})
    yield Case("Gather rows", [node("Gather", "w x")], {"x": rng.integers(0, 9, (3, 5))}, {"w": numbers(9, 4)})
    yield Case("Concat", [node("Concat", "x z", axis=1)], {"x": numbers(3, 5), "z": numbers(3, 2)})
    yield Case("Concat of a constant", [node("Concat", "x z", axis=1)], {"x": numbers(1, 5, 4)}, {"z": numbers(1, 2, 4)})
    yield Case("Tile", [node("Tile", "x r")], {"x": numbers(2, 3, 4)}, {"r": whole(1, 2, 3)})
    if v >= 8:
        yield Case("Expand", [node("Expand", "x r")], {"x": numbers(2, 1, 5)}, {"r": whole(1, 4, 5)})
    yield Case("DepthToSpace", [node("DepthToSpace", blocksize=2)], {"x": image}, image=True)
    if v >= 11:
        yield Case("DepthToSpace CRD", [node("DepthToSpace", blocksize=2, mode="CRD")], {"x": image}, image=True)
    yield Case("SpaceToDepth", [node("SpaceToDepth", blocksize=2)], {"x": image})
    for mode in ("constant", "reflect", "edge"):
        sides = [0, 0, 1, 2, 0, 0, 2, 1]
        if v < 11:
            yield Case(f"Pad {mode}", [node("Pad", mode=mode, pads=sides)], {"x": image})
            continue
        yield Case(f"Pad {mode}", [node("Pad", "x p", mode=mode)], {"x": image}, {"p": whole(*sides)})
        line, cube = whole(0, 0, 1, 0, 0, 2), whole(0, 0, 1, 1, 0, 0, 0, 1, 0, 2)
        yield Case(f"Pad {mode} of a line", [node("Pad", "x p", mode=mode)], {"x": numbers(2, 3, 6)}, {"p": line})
        yield Case(f"Pad {mode} of a cube", [node("Pad", "x p", mode=mode)], {"x": numbers(2, 3, 4, 4, 4)}, {"p": cube})
    if v >= 11:
        yield Case("Pad that cuts", [node("Pad", "x p")], {"x": image}, {"p": whole(0, 1, -1, 0, 0, 2, 0, 0)})


def convolved(image: np.ndarray) -> Iterator[Case]:
    def case(name: str, options: dict[str, Any], weight: np.ndarray, x: np.ndarray, op: str = "Conv") -> Case:
        bias = numbers(weight.shape[0] if op == "Conv" else weight.shape[1] * options.get("group", 1))
        return Case(name, [node(op, "x w b", **options)], {"x": x}, {"w": weight, "b": bias}, image=True)

    w = numbers(5, 4, 3, 3)
    yield case("Conv dilated", {"dilations": [2, 1], "pads": [2, 1, 2, 1]}, w, image)
    yield case("Conv of groups", {"group": 2, "strides": [2, 1]}, numbers(6, 2, 3, 3), image)
    depthwise = {"group": 4, "auto_pad": "SAME_UPPER", "strides": [2, 2]}
    yield case("Conv depthwise", depthwise, numbers(4, 1, 3, 3), image)
    yield case("Conv same, lower", {"auto_pad": "SAME_LOWER", "strides": [2, 2]}, w, image)
    yield case("Conv of a line", {"pads": [1, 1]}, numbers(5, 4, 3), numbers(2, 4, 7))
    yield case("Conv of a cube", {}, numbers(5, 4, 2, 2, 2), numbers(2, 4, 4, 5, 3))
    options = {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}
    yield case("ConvTranspose", options, numbers(4, 5, 3, 3), image, "ConvTranspose")
    yield case("ConvTranspose of groups", {"strides": [2, 2], "group": 2}, numbers(4, 3, 3, 3), image, "ConvTranspose")
    yield case("ConvTranspose of a line", {"strides": [2]}, numbers(4, 5, 3), numbers(2, 4, 7), "ConvTranspose")
    cube = numbers(2, 4, 3, 3, 3)
    yield case("ConvTranspose of a cube", {"strides": [2, 2, 2]}, numbers(4, 5, 2, 2, 2), cube, "ConvTranspose")
    options = {"strides": [2, 2], "output_shape": [12, 16]}
    yield case("ConvTranspose to a size", options, numbers(4, 5, 3, 3), image, "ConvTranspose")


def pooled(v: int, image: np.ndarray) -> Iterator[Case]:
    window: dict[str, Any] = {"kernel_shape": [3, 3], "strides": [2, 2]}
    odd = numbers(2, 4, 5, 7)
    for op in ("MaxPool", "AveragePool"):
        yield Case(op, [node(op, pads=[1, 1, 1, 1], **window)], {"x": image}, image=True)
        same = {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"}
        yield Case(f"{op} same", [node(op, **same)], {"x": odd}, image=True)
        if v >= 10:
            yield Case(f"{op} ceil", [node(op, ceil_mode=1, **window)], {"x": image}, image=True)
        if v >= (10 if op == "MaxPool" else 19):
            dilated = node(op, kernel_shape=[2, 2], dilations=[2, 2])
            yield Case(f"{op} dilated", [dilated], {"x": image}, image=True)
    counted = node("AveragePool", pads=[1, 1, 1, 1], count_include_pad=1, **window)
    yield Case("AveragePool that counts its padding", [counted], {"x": image}, image=True)
    yield Case("GlobalAveragePool", [node("GlobalAveragePool")], {"x": image}, image=True)
    yield Case("GlobalMaxPool", [node("GlobalMaxPool")], {"x": image}, image=True)


def normalised(v: int, image: np.ndarray) -> Iterator[Case]:
    four = {"g": numbers(4), "b": numbers(4), "m": numbers(4), "s": positive(4)}
    yield Case("BatchNormalization", [node("BatchNormalization", "x g b m s")], {"x": image}, four, image=True)
    two = {"g": numbers(4), "b": numbers(4)}
    yield Case("InstanceNormalization", [node("InstanceNormalization", "x g b")], {"x": image}, two, image=True)
    steps = numbers(2, 3, 5)
    if v >= 17:
        own = {"g": numbers(5), "b": numbers(5)}
        yield Case("LayerNormalization", [node("LayerNormalization", "x g b")], {"x": steps}, own)
        whole_sample = node("LayerNormalization", "x g", axis=1)
        yield Case("LayerNormalization of two axes", [whole_sample], {"x": steps}, {"g": numbers(3, 5)})
    if v >= 21:
        yield Case("GroupNormalization", [node("GroupNormalization", "x g b", num_groups=2)], {"x": image}, two, image=True)
    if v >= 23:
        yield Case("RMSNormalization", [node("RMSNormalization", "x g")], {"x": steps}, {"g": numbers(5)})
    yield Case("LpNormalization", [node("LpNormalization", axis=1, p=2)], {"x": numbers(3, 5)})


def resized(v: int, image: np.ndarray) -> Iterator[Case]:
    if v < 9:
        up = node("Upsample", scales=[1.0, 1.0, 2.0, 2.0], mode="nearest")
        yield Case("Upsample", [up], {"x": image}, image=True)
    elif v == 9:
        scales = {"s": np.array([1, 1, 2, 2], np.float32)}
        yield Case("Upsample", [node("Upsample", "x s", mode="linear")], {"x": image}, scales, image=True)
    if v < 13:  # ONNX Runtime does not read Resize of set 11 with an input that is left out
        return

    def case(name: str, x: np.ndarray, factors: list[float], **options: Any) -> Case:
        scales = np.array([*[1] * (x.ndim - len(factors)), *factors], np.float32)
        return Case(name, [node("Resize", "x - s", **options)], {"x": x}, {"s": scales}, image=True)

    for mode in ("nearest", "linear", "cubic"):
        for places in ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"):
            options: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": places}
            for factors in ([2, 2], [1.5, 2.5], [0.5, 0.5], [0.7, 1.3]):
                rounding = "floor" if places == "asymmetric" else "round_prefer_floor"
                yield case(f"Resize {mode} {places} {factors}", image, factors, nearest_mode=rounding, **options)
            sizes = {"s": whole(2, 4, 9, 5)}
            name = f"Resize {mode} {places} to a size"
            yield Case(name, [node("Resize", "x - - s", **options)], {"x": image}, sizes, image=True)
    for rounding in ("round_prefer_ceil", "ceil", "floor"):
        yield case(f"Resize nearest {rounding}", image, [2.5, 0.6], mode="nearest", nearest_mode=rounding)
    yield case("Resize of a line", numbers(2, 3, 6), [2.0], mode="linear")
    yield case("Resize of a cube", numbers(2, 3, 4, 4, 3), [2.0, 2, 2], mode="linear")
    if v >= 18:
        factors = {"s": np.array([2.0, 3], np.float32)}
        one = node("Resize", "x - s", mode="linear", axes=[2, 3])
        yield Case("Resize of some axes", [one], {"x": image}, factors, image=True)


def conditions(v: int) -> Iterator[Case]:
    limit, x = {"z": np.float32(0.1)}, numbers(3, 5)
    yield Case("Greater", [node("Greater", "x z", "c"), node("Cast", "c", to=1)], {"x": x}, limit)
    if v >= 9:
        nodes = [node("Greater", "x z", "c"), node("Where", "c x k")]
        yield Case("Where", nodes, {"x": x}, {**limit, "k": np.float32(-3)})
        fixed = {"c": numbers(1, 5) > 0, "k": np.float32(-3)}
        yield Case("Where of a constant", [node("Where", "c x k")], {"x": x}, fixed)


def products(v: int) -> Iterator[Case]:
    yield Case("MatMul", [node("MatMul", "x z")], {"x": numbers(2, 3, 4), "z": numbers(2, 4, 5)})
    yield Case("MatMul of heads", [node("MatMul", "x z")], {"x": numbers(2, 2, 3, 4), "z": numbers(2, 2, 4, 5)})
    yield Case("MatMul of constants", [node("MatMul", "x z")], {"x": numbers(2, 3, 6, 4)}, {"z": numbers(3, 4, 5)})
    yield Case("MatMul of a constant first", [node("MatMul", "z x")], {"x": numbers(2, 3, 4)}, {"z": numbers(5, 3)})
    gemm = node("Gemm", "x w b", transB=1, alpha=0.5, beta=2.0)
    yield Case("Gemm", [gemm], {"x": numbers(3, 4)}, {"w": numbers(5, 4), "b": numbers(5)})
    if v >= 12:
        einsum = node("Einsum", "x z", equation="bij,bjk->bik")
        yield Case("Einsum", [einsum], {"x": numbers(2, 3, 4), "z": numbers(2, 4, 5)})
        fixed = node("Einsum", "x z", equation="btd,dk->btk")
        yield Case("Einsum of a constant", [fixed], {"x": numbers(2, 3, 4)}, {"z": numbers(4, 5)})


def wrong(case: Case, version: int, path: Path) -> str:
    """What is wrong with our network of a case; "" for nothing."""
    inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), ("N", *x.shape[1:]))
        for n, x in case.inputs.items()
    ]
    kept = [numpy_helper.from_array(np.asarray(a), n) for n, a in case.arrays.items()]
    graph = helper.make_graph(case.nodes, "case", inputs, [helper.make_tensor_value_info("y", 1, None)], kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    model.ir_version = _IR.get(version, 10)
    path.write_bytes(model.SerializeToString())
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    wanted = session.run(None, case.inputs)[0]
    try:
        network = chainrule.load_onnx(path)
        given = [np.moveaxis(x, 1, -1) if case.image else x for x in case.inputs.values()]
        got = network.predict(given if len(given) > 1 else given[0])
    except chainrule.errors.ChainruleError as error:
        return str(error)
    # Where the file's axis 1 ends up last, the output counts as an image.
    turned = [got, *([np.moveaxis(got, -1, 1)] if got.ndim > 2 else [])]
    same = [float(np.abs(one - wanted).max()) for one in turned if one.shape == wanted.shape]
    if not same:
        return f"shape {got.shape} in place of {wanted.shape}"
    return "" if min(same) <= 1e-4 * max(1e-3, float(np.abs(wanted).max())) else f"differs by {min(same):.2g}"


def check(some: list[Case], version: int, path: Path) -> None:
    assert some
    found = {case.name: wrong(case, version, path) for case in some}
    assert not {name: text for name, text in found.items() if text}


def test_some_operators_compute_what_the_runtime_does(tmp_path: Path) -> None:
    check(list(cases(NEWEST))[::7], NEWEST, tmp_path / "case.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("version", [7, 8, 9, 10, 11, 13, 17, 18, 21, NEWEST])
def test_every_operator_computes_what_the_runtime_does(version: int, tmp_path: Path) -> None:
    check(list(cases(version)), version, tmp_path / "case.onnx")
