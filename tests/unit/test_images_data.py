"""ImageData: batches made by other threads, reproducible; training, evaluation and prediction from them."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import pkgutil
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule.images
from chainrule import BatchNorm, Conv2D, Dense, Flatten, Network, ReLU
from chainrule.data import ArrayData
from chainrule.errors import DataError, DtypeError, ImageError, ParameterError, ShapeError
from chainrule.images import Augmentation, ImageData
from chainrule.images.background import in_background
from chainrule.losses import SoftmaxCrossEntropy, SquaredError
from chainrule.training import Checkpoint, feeds

QUIET: dict[str, Any] = {"verbose": 0, "engine": "reference"}
CHANGES = Augmentation(flip=True, shift=1, rotate=10, brightness=0.1)


def squares(n: int = 120, size: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a bright patch at the top or at the bottom."""
    rng = np.random.default_rng(seed)
    X, y = rng.integers(0, 100, (n, size, size, 1), np.uint8), rng.integers(0, 2, n)
    X[y == 0, 1:3, 2:6] = 250
    X[y == 1, 5:7, 2:6] = 250
    return X, np.where(y == 0, "top", "bottom")


def network(outputs: int = 2, seed: int = 0) -> Network:
    layers = [Conv2D(4, 3, stride=2, padding="same", bias=False), BatchNorm(), ReLU(), Flatten(), Dense(outputs)]
    return Network(layers, random_state=seed)


def of(batches: Iterator[Any]) -> list[tuple[np.ndarray, ...]]:
    return [(*b.inputs, *b.targets) for b in batches]


# ---------------------------------------------------------------- batches


def test_an_epoch_has_every_picture_once() -> None:
    X, y = squares(10)
    X[:, 0, 0, 0] = np.arange(10)
    data = ImageData(X, y)
    for rng in (None, np.random.default_rng(0)):
        numbers = np.concatenate([x[:, 0, 0, 0] for x, _ in of(data.batches(4, rng))]) * 255
        assert [len(x) for x, _ in of(data.batches(4, rng))] == [4, 4, 2]
        assert sorted(np.rint(numbers).astype(int).tolist()) == list(range(10))
        assert (np.rint(numbers) == np.arange(10)).all() == (rng is None)
    kept = of(data.batches(4, np.random.default_rng(0), shuffle=False))
    np.testing.assert_allclose(kept[0][0], X[:4] / 255, atol=1e-6)
    with pytest.raises(ParameterError, match="batch_size"):
        data.batches(0)


def test_what_is_drawn_does_not_depend_on_the_threads(tmp_path: Path) -> None:
    Image = pytest.importorskip("PIL.Image")
    X, y = squares(30)
    paths = [tmp_path / f"{i}.png" for i in range(30)]
    for path, x in zip(paths, X, strict=True):
        Image.fromarray(x[..., 0]).save(path)
    found = []
    for workers, slow in ((1, 0.0), (4, 0.0), (3, 0.003)):
        data = ImageData(paths, y, augmentation=CHANGES, workers=workers, keep_bytes=1000)
        read, rng = data._source.read, np.random.default_rng(1)  # type: ignore[attr-defined]

        def late(row: int, read: Any = read, slow: float = slow) -> Any:
            time.sleep(slow * (row % 5))
            return read(row)

        data._source.read = late  # type: ignore[attr-defined]
        found.append([of(data.batches(7, rng)) for _ in range(2)])
    for epoch in range(2):
        for a, b, c in zip(*(f[epoch] for f in found), strict=True):
            for one, two, three in zip(a, b, c, strict=True):
                np.testing.assert_array_equal(one, two)
                np.testing.assert_array_equal(one, three)
    assert any((a[0] != b[0]).any() for a, b in zip(found[0][0], found[0][1], strict=True))


def test_background_is_bounded_ordered_and_lets_go() -> None:
    begun: list[int] = []

    def task(i: int) -> Any:
        def work() -> int:
            begun.append(i)
            time.sleep(0.002 * (i % 3))
            if i == 20:
                raise ImageError("twenty")
            return i

        return work

    results = in_background((task(i) for i in range(100)), workers=3)
    assert begun == []
    taken = [next(results) for _ in range(10)]
    assert taken == list(range(10)) and len(begun) <= 14
    with pytest.raises(ImageError, match="twenty"):
        list(results)
    assert len(begun) <= 25
    stopped = in_background((task(i) for i in range(10)), workers=2)
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 5
    while any(t.name.startswith("chainrule-images") for t in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(t.name.startswith("chainrule-images") for t in threading.enumerate())


# ---------------------------------------------------------------- training


def test_fit_evaluate_and_predict() -> None:
    X, y = squares()
    data = ImageData(X, y, augmentation=Augmentation(shift=1)).standardised()
    train, test = data.split(0.25, random_state=0)
    assert test.augmentation is None and train.augmentation is not None and train.n_samples + test.n_samples == 120
    net = network().fit(train, validation_data=test, epochs=8, learning_rate=0.01, **QUIET)
    assert isinstance(net.loss_, SoftmaxCrossEntropy)
    assert net.history_["val_accuracy"][-1] > 0.95
    whole, codes = test.arrays()
    assert net.evaluate(test) == pytest.approx(net.evaluate(whole, codes))
    np.testing.assert_allclose(net.predict(test), net.predict(whole), atol=1e-6)
    np.testing.assert_allclose(net.predict(test, batch_size=7), net.predict(whole), atol=1e-5)
    assert net._runtime.trainer is not None and net._runtime.trainer.state.samples_an_epoch == train.n_samples


def test_without_augmentation_it_is_the_same_as_from_arrays() -> None:
    data = ImageData(*squares(50))
    X, y = data.arrays()
    a = network().fit(data, epochs=3, batch_size=8, **QUIET)
    b = network().fit(X, y, epochs=3, batch_size=8, **QUIET)
    np.testing.assert_array_equal(a.parameters.flat, b.parameters.flat)
    np.testing.assert_array_equal(a.states.flat, b.states.flat)
    assert a.history_["loss"] == b.history_["loss"]


def test_equal_seeds_give_equal_bits_and_resuming_goes_on(tmp_path: Path) -> None:
    data = ImageData(*squares(60), augmentation=CHANGES)
    file = tmp_path / "checkpoint"
    a = network(seed=3).fit(data, epochs=4, validation_split=0.2, **QUIET)
    network(seed=3).fit(data, epochs=2, validation_split=0.2, callbacks=Checkpoint(file), **QUIET)
    b = network(seed=3).fit(data, epochs=4, validation_split=0.2, resume=file, **QUIET)
    np.testing.assert_array_equal(a.parameters.flat, b.parameters.flat)
    assert a.history_["val_loss"] == b.history_["val_loss"]
    assert (network(seed=4).fit(data, epochs=4, **QUIET).parameters.flat != a.parameters.flat).any()


def test_the_pace_of_the_machine_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = ImageData(*squares(60), augmentation=CHANGES)
    a = network().fit(data, epochs=2, batch_size=4, **QUIET)
    from chainrule.training import trainer

    monkeypatch.setattr(trainer, "CHUNK_SECONDS", 0.0)
    b = network().fit(data, epochs=2, batch_size=4, **QUIET)
    np.testing.assert_array_equal(a.parameters.flat, b.parameters.flat)


def test_mixup_trains_on_distributions() -> None:
    data = ImageData(*squares(80), augmentation=Augmentation(mixup=0.4)).standardised()
    net = network().fit(data, epochs=8, learning_rate=0.01, validation_split=0.25, **QUIET)
    assert isinstance(net.loss_, SoftmaxCrossEntropy) and net.history_["val_accuracy"][-1] > 0.9
    one = Network([Flatten(), Dense(1)], random_state=0)
    numbers = ImageData(squares(80)[0], np.arange(80.0), augmentation=Augmentation(mixup=0.4))
    assert isinstance(one.fit(numbers, epochs=1, **QUIET).loss_, SquaredError)


def test_masks_of_black_and_white_are_classes_as_in_files() -> None:
    masks = np.array([[[0, 255], [255, 0]], [[0, 0], [0, 0]]])
    (_, (classes,), *_), *_ = ImageData(np.zeros((2, 2, 2), np.uint8), masks=masks).batches(2, shuffle=False)
    np.testing.assert_array_equal(classes, masks // 255)


def test_masks_train_a_network_of_pixels() -> None:
    X, _ = squares(40)
    masks = (X[..., 0] > 128).astype(np.int64)
    data = ImageData(X, masks=masks, augmentation=Augmentation(flip="both", shift=1, rotate=20))
    net = Network([Conv2D(2, 1)], random_state=0)
    net.fit(data, epochs=40, learning_rate=0.1, batch_size=8, **QUIET)
    assert net.evaluate(ImageData(X, masks))["accuracy"] > 0.98


def test_partial_fit_and_lbfgs() -> None:
    data = ImageData(*squares(40))
    net = network()
    for _ in range(3):
        net.partial_fit(data, engine="reference")
    assert net.history_["loss"][-1] < net.history_["loss"][0]
    network().fit(data, optimizer="lbfgs", epochs=2, **QUIET)


def test_a_set_that_is_never_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = squares(64)
    on_disk = np.memmap(tmp_path / "x.bin", dtype=np.uint8, mode="w+", shape=X.shape)
    on_disk[:] = X
    monkeypatch.setattr(feeds, "_STEPS_BYTES", 0)
    a = network().fit(ImageData(on_disk, y, augmentation=CHANGES), epochs=2, **QUIET)
    b = network().fit(ImageData(X, y, augmentation=CHANGES), epochs=2, **QUIET)
    np.testing.assert_array_equal(a.parameters.flat, b.parameters.flat)


def test_an_array_data_is_a_data_set_too() -> None:
    X, y = ImageData(*squares(40)).arrays()
    assert y is not None
    a = network().fit(ArrayData(X, y), epochs=2, **QUIET)
    b = network().fit(X, y, epochs=2, **QUIET)
    np.testing.assert_array_equal(a.parameters.flat, b.parameters.flat)


def test_what_fit_says_about_data_sets() -> None:
    data = ImageData(*squares(20))
    with pytest.raises(ParameterError, match=r"ImageData.*its own targets"):
        network().fit(data, np.zeros(20, int), **QUIET)
    with pytest.raises(ParameterError, match="sample_weight"):
        network().fit(data, sample_weight=np.ones(20), **QUIET)
    with pytest.raises(ParameterError, match="validation_split"):
        network().fit(ArrayData(*ImageData(*squares(20)).arrays()), validation_split=0.5, **QUIET)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"no targets.*ImageData"):
        network().fit(ImageData(squares(20)[0]), **QUIET)
    net = network().fit(data, epochs=1, **QUIET)
    with pytest.raises(ShapeError, match=r"must have shape \(N, 8, 8, 1\)"):
        net.evaluate(ImageData(*squares(20, size=9)))
    with pytest.raises(DataError, match="classes"):
        network(outputs=1).fit(ImageData(squares(9)[0], list("abcabcabc")), loss="softmax_cross_entropy", **QUIET)


# ---------------------------------------------------------------- targets, arrays, npz


def test_kinds_of_targets() -> None:
    X = squares(6)[0]
    assert ImageData(X, [3, 7, 3, 7, 9, 9]).classes == ["3", "7", "9"]
    assert ImageData(X, [True, False] * 3).classes == ["False", "True"]
    numbers = ImageData(X, np.linspace(0, 1, 6)).targets
    assert numbers is not None and numbers.dtype == np.float32
    assert ImageData(X).targets is None and len(ImageData(X)) == 6
    assert ImageData(X[..., 0]).shape == (8, 8, 1)
    assert ImageData(X.astype(int).tolist()).pictures().dtype == np.uint8
    assert ImageData([np.asarray(x) for x in X]).shape == (8, 8, 1)
    assert "6 pictures 8 × 8 × 1" in repr(ImageData(X))
    taken = ImageData(X, list("abcdef")).take([4, 0])
    assert taken.targets is not None and taken.targets.tolist() == [4, 0] and taken.classes == list("abcdef")
    np.testing.assert_array_equal(taken.take(np.array([False, True])).pictures(), X[[0]])


def test_standardised_measures_the_channels() -> None:
    X = np.random.default_rng(0).integers(0, 256, (50, 6, 6, 3), np.uint8) // np.array([1, 2, 4], np.uint8)
    data = ImageData(X).standardised()
    found, _ = data.arrays()
    np.testing.assert_allclose(found.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=(0, 1, 2)), 1, atol=1e-5)
    other = ImageData(X[:2]).standardised(like=data)
    np.testing.assert_array_equal(other.arrays()[0], found[:2])
    constant = ImageData(np.full((3, 4, 4), 7, np.uint8)).standardised()
    np.testing.assert_allclose(constant.arrays()[0], 0, atol=1e-6)


def _rewritten(path: Path, change: Any) -> None:
    """The archive with its members changed by ``change(name, bytes) -> bytes``."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, change(name, data))


def test_npz_files_that_grow_or_are_encrypted_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, images=np.zeros((100, 50, 50, 3), np.uint8), labels=np.arange(100) % 2)
    assert ImageData.from_npz(path, max_memory=10**6).n_samples == 100
    with pytest.raises(ImageError, match=r"refused.*750,\d+ bytes or more.*--max-memory"):
        ImageData.from_npz(path, max_memory=10**5)
    _rewritten(path, lambda name, data: data.replace(b"(100, 50, 50, 3)", b"(10**9,50,50,3) "))
    with pytest.raises(ImageError, match=r"no \.npz file"):
        ImageData.from_npz(path)
    np.savez_compressed(path, images=np.zeros((100, 50, 50, 3), np.uint8), labels=np.arange(100) % 2)
    _rewritten(path, lambda name, data: data.replace(b"(100, 50, 50, 3), }    ", b"(100000000, 50, 50, 3), }"))
    with pytest.raises(ImageError, match=r"refused.*750,000,000,000 bytes"):
        ImageData.from_npz(path)
    np.savez(path, images=np.zeros((4, 5, 5), np.uint8), labels=np.arange(4) % 2)
    blob = bytearray(path.read_bytes())
    for at in (m.start() for m in re.finditer(b"PK\x01\x02", bytes(blob))):
        blob[at + 8] |= 1
    path.write_bytes(blob)
    with pytest.raises(ImageError, match="encrypted"):
        ImageData.from_npz(path)


def test_damaged_npz_files_are_one_kind_of_error(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, images=np.arange(300, dtype=np.uint8).reshape(4, 5, 5, 3), labels=np.arange(4) % 2)
    good, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(300):
        blob = bytearray(good)
        for _ in range(int(rng.integers(1, 6))):
            blob[int(rng.integers(len(blob)))] = int(rng.integers(256))
        path.write_bytes(bytes(blob[: int(rng.integers(1, len(blob) + 1))] if rng.random() < 0.3 else blob))
        with contextlib.suppress(DataError, ShapeError, DtypeError):
            ImageData.from_npz(path)


def test_npz(tmp_path: Path) -> None:
    X, y = squares(12)
    for names in (("images", "labels"), ("x", "y"), ("a", "b"), ("X_train", "y_train")):
        np.savez(tmp_path / "a.npz", **dict(zip(names, (X, y), strict=True)))
        data = ImageData.from_npz(tmp_path / "a.npz")
        assert data.classes == ["bottom", "top"] and data.n_samples == 12
    np.savez(tmp_path / "odd.npz", a=np.ones(3))
    (tmp_path / "no.npz").write_bytes(b"nothing")
    np.savez(tmp_path / "unequal.npz", images=X, labels=y[:3])
    np.savez(tmp_path / "object.npz", images=X, labels=np.array([{}, []], dtype=object))
    for name, error, words in (("odd", ImageError, r"labels.*a \(3,\)"), ("no", ImageError, "no .npz file"),
                               ("gone", ImageError, "no such file"), ("object", ImageError, "object.npz.*Python objects"),
                               ("unequal", DataError, "unequal.npz.*12 samples")):  # fmt: skip
        with pytest.raises(error, match=words):
            ImageData.from_npz(tmp_path / f"{name}.npz")


@pytest.mark.parametrize(
    ("X", "options", "error", "words"),
    [
        (np.ones((3, 4)), {}, ShapeError, "3 or 4 dimensions"),
        ("photos", {}, ParameterError, "from_folder"),
        (np.ones((3, 4, 4, 1)), {"y": [1, 2]}, DataError, "X has 3 samples but y has 2"),
        (np.zeros((0, 4, 4, 1), np.uint8), {}, DataError, "nothing"),
        (np.full((3, 4, 4), np.nan), {}, DataError, "NaN"),
        ([np.ones((4, 4)), np.ones((5, 4))], {}, ShapeError, "2 different shapes"),
        (np.ones((3, 4, 4)), {"masks": np.zeros((3, 5, 4), int)}, ShapeError, "size of the pictures"),
        (np.ones((3, 4, 4)), {"masks": np.zeros((2, 4, 4), int)}, DataError, "masks has 2"),
        (np.ones((3, 4, 4)), {"masks": np.zeros((3, 4, 4))}, DtypeError, "class numbers"),
        (np.ones((3, 4, 4)), {"masks": np.zeros((3, 4, 4), int), "y": [0, 1, 0]}, ParameterError, "either y or masks"),
        (np.ones((3, 4, 4)), {"size": 8}, ParameterError, "resizes pictures in files"),
        (np.ones((3, 4, 4)), {"channels": 3}, ShapeError, "channels=3"),
        (np.ones((3, 4, 4)), {"on_error": "ignore"}, ParameterError, "'stop' or 'skip'"),
        (np.ones((3, 4, 4)), {"workers": 0}, ParameterError, "workers"),
        (np.ones((3, 4, 4)), {"augmentation": "flip"}, ParameterError, "must be an Augmentation"),
    ],
)
def test_bad_data(X: Any, options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        ImageData(X, **options)


def test_bad_rows() -> None:
    data = ImageData(*squares(5))
    for rows in ([5], [-1], [], [[0]]):
        with pytest.raises(DataError, match="from 0 to 4"):
            data.take(rows)
    with pytest.raises(DataError, match="came as an array"):
        data.files()


@pytest.mark.parametrize("module", [m.name for m in pkgutil.iter_modules(chainrule.images.__path__)])
def test_the_examples_in_the_docstrings_run(module: str) -> None:
    assert doctest.testmod(importlib.import_module(f"chainrule.images.{module}")).failed == 0
