"""Modules of PyTorch and models of Keras that are in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import from_keras, from_torch
from chainrule.errors import MissingDependencyError, ModelFileError, ParameterError

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]
RNG = np.random.default_rng(0)


def test_modules_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    pictures = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 4)
    )
    steps = nn.Sequential(nn.Linear(16, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 3))
    for module, shape in ((pictures, (2, 3, 8, 8)), (steps, (2, 5, 16)), (nn.Linear(4, 2), (3, 4))):
        x = torch.randn(*shape)
        module.train()
        network = from_torch(module, x)
        assert module.training  # it stays as it was
        more = torch.randn(7, *shape[1:])
        with torch.no_grad():
            wanted = module.eval()(more).numpy()
        given = more.numpy().transpose(0, 2, 3, 1) if len(shape) == 4 else more.numpy()
        assert np.abs(network.predict(given) - wanted).max() < 1e-4
        y = RNG.normal(size=wanted.shape)
        network.fit(given, y, epochs=1, verbose=0)


def test_modules_that_cannot_be_taken_over() -> None:
    torch = pytest.importorskip("torch")

    class Odd(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.linalg.svd(x)[1]

    class Fickle(torch.nn.Module):
        calls = 0

        def forward(self, x: Any) -> Any:
            Fickle.calls += 1
            return x * Fickle.calls

    with pytest.raises(ParameterError, match=r"expected a torch\.nn\.Module\. Got a int"):
        from_torch(3, torch.zeros(1))
    with pytest.raises(ParameterError, match="give an example"):
        from_torch(torch.nn.Linear(2, 2))
    with pytest.raises(ParameterError, match=r"does not take examples of shape \(1, 3\)"):
        from_torch(torch.nn.Linear(2, 2), torch.zeros(1, 3))
    with pytest.raises(ModelFileError, match="cannot export this module"):
        from_torch(Odd(), torch.zeros(1, 3, 3))
    with pytest.raises(ModelFileError, match="another one than the module's"):
        from_torch(Fickle(), torch.ones(2, 3))


def test_models_of_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    k = keras.layers
    model = keras.Sequential([keras.Input((8, 8, 3)), k.Conv2D(4, 3, activation="relu"), k.Flatten(), k.Dense(3)])
    x = RNG.normal(size=(5, 8, 8, 3)).astype(np.float32)
    assert np.abs(from_keras(model).predict(x) - np.asarray(model.predict(x, verbose=0))).max() < 1e-5
    with pytest.raises(ParameterError, match="is not built"):
        from_keras(keras.Sequential([k.Dense(2)]))
    with pytest.raises(ParameterError, match="expected a model of Keras"):
        from_keras(3)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDependencyError, match=r"from_torch needs torch, which is not installed.* pip install torch"):
        from_torch(None, None)
