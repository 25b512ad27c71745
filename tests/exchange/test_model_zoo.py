"""Real networks that others have trained, where their files are there, beside ONNX Runtime."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import chainrule

ort = pytest.importorskip("onnxruntime")
ZOO = Path(__file__).parents[3] / "shared" / "data" / "model_zoo"
pytestmark = pytest.mark.slow


def readers_of_text() -> dict[str, tuple[Path, tuple[int, ...]]]:
    """The PP-OCR networks of the package rapidocr-onnxruntime, with a shape that suits each."""
    spec = importlib.util.find_spec("rapidocr_onnxruntime")
    if spec is None or spec.origin is None:
        return {}
    shapes = {"det": (1, 3, 64, 96), "cls": (2, 3, 48, 192), "rec": (2, 3, 48, 160)}
    found = {}
    for path in sorted((Path(spec.origin).parent / "models").glob("*.onnx")):
        kind = next((k for k in shapes if f"_{k}_" in path.name), None)
        if kind is not None:
            found[kind] = (path, shapes[kind])
    return found


def of_the_zoo() -> dict[str, tuple[Path, tuple[int, ...]]]:
    shapes = {"mnist_cntk": (1, 1, 28, 28), "mnist_keras": (2, 28, 28, 1), "face_slim320": (1, 3, 240, 320)}
    return {name: (ZOO / f"{name}.onnx", shape) for name, shape in shapes.items() if (ZOO / f"{name}.onnx").exists()}


FILES = readers_of_text() | of_the_zoo()


@pytest.mark.parametrize("name", ["det", "cls", "rec", "mnist_cntk", "mnist_keras", "face_slim320"])
def test_a_real_network_computes_what_the_runtime_does(name: str) -> None:
    if name not in FILES:
        pytest.skip("the file is not there: it is in rapidocr-onnxruntime, or in ../shared/data/model_zoo")
    path, shape = FILES[name]
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    start = session.get_inputs()[0]
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    wanted = session.run(None, {start.name: x})
    free = any(isinstance(size, str) for size in start.shape[1:])
    network = chainrule.load_onnx(path, shapes={start.name: (None, *shape[1:])} if free else None)
    image = network.input_shapes[0] != shape[1:]
    found = network.predict(np.ascontiguousarray(np.moveaxis(x, 1, -1)) if image else x)
    for mine, theirs in zip(found if isinstance(found, tuple) else (found,), wanted, strict=True):
        same = [a for a in (theirs, np.moveaxis(theirs, 1, -1)) if a.shape == mine.shape]
        # The runtime's sigmoid is a quotient of polynomials, right to 2e-7 of 1: that is all of a probability near 0.
        assert min(float(np.abs(mine - a).max()) for a in same) <= 1e-4 * float(np.abs(theirs).max()) + 2e-7


@pytest.mark.parametrize(("name", "side"), [("mtcnn_det1", 12), ("mtcnn_det2", 24)])
def test_files_of_caffe_and_of_mxnet_without_a_magic_number_are_read(name: str, side: int) -> None:
    if not ZOO.exists():
        pytest.skip("../shared/data/model_zoo is not there")
    caffe = chainrule.load_caffe(ZOO / f"{name}.prototxt", ZOO / f"{name}.caffemodel")
    mxnet = chainrule.load_mxnet(ZOO / f"{name}_mxnet-symbol.json", ZOO / f"{name}_mxnet.params", shape=(3, side, side))
    x = np.random.default_rng(0).normal(size=(2, side, side, 3)).astype(np.float32)
    for network in (caffe, mxnet):
        found = network.predict(x)
        assert all(np.isfinite(one).all() for one in (found if isinstance(found, tuple) else (found,)))
