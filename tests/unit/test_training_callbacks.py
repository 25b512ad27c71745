"""What happens between epochs: callbacks, early stopping, checkpoints, Ctrl-C, divergence, progress."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import NeuralClassifier, NeuralForecaster
from chainrule.errors import DataError, DivergenceError, ModelFileError, ParameterError, Terminated
from chainrule.layers import Dense, Dropout, ReLU, Tanh
from chainrule.model import Network
from chainrule.optimizers import LBFGS, SGD, Adam, ReduceOnPlateau
from chainrule.training import Callback, Checkpoint, EarlyStopping, History, LambdaCallback, Session, checkpoint
from chainrule.training.interrupt import InterruptGuard, sigterm_at_end
from chainrule.training.progress import Progress

#: What nearly every fit here is given; ``each_engine`` fills in the engine.
QUIET: dict[str, Any] = {"verbose": 0, "engine": "reference"}


@pytest.fixture(autouse=True, params=["reference", "auto"])
def each_engine(request: pytest.FixtureRequest) -> str:
    """Every test runs on both engines (on the reference engine twice where the fast one cannot be used)."""
    QUIET["engine"] = request.param
    return str(request.param)


def data(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32)
    return X, (X[:, 0] * X[:, 1] > 0).astype(np.int64)


def network(seed: Any = 0) -> Network:
    return Network([Dense(16), ReLU(), Dropout(0.2), Dense(2)], random_state=seed)


def weights(net: Network) -> np.ndarray:
    return net.parameters.flat.copy()


class Recording(Callback):
    def __init__(self) -> None:
        self.calls: list[str] = []

    def on_fit_begin(self, trainer: Any) -> None:
        self.calls.append("fit begin")

    def on_epoch_begin(self, trainer: Any, epoch: int) -> None:
        self.calls.append(f"epoch {epoch} begin")

    def on_batch_chunk_end(self, trainer: Any, logs: Any) -> None:
        self.calls.append("chunk")
        assert logs["samples"] > 0
        assert logs["loss"] > 0

    def on_epoch_end(self, trainer: Any, epoch: int, logs: Any) -> None:
        self.calls.append(f"epoch {epoch} end")
        if epoch == 2:
            trainer.stop = True

    def on_fit_end(self, trainer: Any) -> None:
        self.calls.append("fit end")


def test_order_of_calls_and_stop() -> None:
    X, y = data(64)
    seen = Recording()
    net = network().fit(X, y, epochs=5, callbacks=seen, **QUIET)
    epochs = [what for i in (1, 2) for what in (f"epoch {i} begin", "chunk", f"epoch {i} end")]
    assert seen.calls == ["fit begin", *epochs, "fit end"]
    assert net.history_.epochs == [1, 2]
    assert net.history_.stopped


def test_history() -> None:
    history = History()
    assert repr(history) == "History(no epoch)"
    history.append(1, {"loss": 2.0})
    history.append(2, {"loss": 1.0, "val_loss": 3.0})
    assert history.to_dict()["epoch"] == [1, 2]
    assert np.isnan(history["val_loss"][0])
    assert history.best() == 2
    assert history.best("loss", largest=True) == 1
    assert "loss=1" in repr(history)
    with pytest.raises(ParameterError, match="Did you mean 'loss'"):
        history["los"]
    assert "nope" not in history


# ---------------------------------------------------------------- early stopping


def test_early_stopping_restores_the_best_weights() -> None:
    X, y = data(60)
    V = data(60, 1)
    best: dict[int, np.ndarray] = {}
    keep = LambdaCallback(on_epoch_end=lambda t, epoch, logs: best.update({epoch: weights(t.network)}))
    stopping = EarlyStopping(patience=3)
    net = network().fit(
        X, y, learning_rate=0.05, epochs=200, validation_data=V, early_stopping=stopping, callbacks=[keep], **QUIET
    )
    history = net.history_
    assert history.stopped
    assert len(history.epochs) == stopping.best_epoch_ + 3 == stopping.stopped_epoch_
    assert history.best("val_loss") == stopping.best_epoch_
    assert stopping.best_ == min(history["val_loss"])
    np.testing.assert_array_equal(weights(net), best[stopping.best_epoch_])
    assert net.evaluate(*V)["loss"] == pytest.approx(stopping.best_)
    last = network().fit(
        X,
        y,
        learning_rate=0.05,
        epochs=200,
        validation_data=V,
        early_stopping=EarlyStopping(patience=3, restore_best=False),
        **QUIET,
    )
    np.testing.assert_array_equal(weights(last), best[len(history.epochs)])


def test_early_stopping_by_other_numbers() -> None:
    X, y = data(60)
    net = network().fit(
        X, y, epochs=30, early_stopping=EarlyStopping("val_accuracy", patience=2), validation_split=0.3, **QUIET
    )
    assert net.history_.stopped
    assert len(network().fit(X, y, epochs=3, early_stopping=2, **QUIET).history_.epochs) == 3
    flat = network().fit(
        X, y, learning_rate=1e-9, epochs=30, early_stopping=EarlyStopping("loss", min_delta=1.0, patience=4), **QUIET
    )
    assert len(flat.history_.epochs) == 5
    with pytest.raises(ParameterError, match="validation_split"):
        network().fit(X, y, early_stopping=EarlyStopping(), **QUIET)
    with pytest.raises(ParameterError, match="patience"):
        network().fit(X, y, early_stopping=EarlyStopping(patience=-1), **QUIET)


# ---------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("optimizer", ["adam", SGD(ReduceOnPlateau(0.05, factor=0.5, patience=1), momentum=0.9)])
def test_resumed_fit_is_the_same_to_the_bit(tmp_path: Path, optimizer: Any) -> None:
    X, y = data()
    path = tmp_path / "fit.ckpt"
    options: dict[str, Any] = {
        "optimizer": optimizer,
        "validation_split": 0.2,
        "metrics": ["accuracy", "roc_auc"][:1],
        **QUIET,
    }
    whole, part = network(), network()
    whole.fit(X, y, epochs=6, early_stopping=EarlyStopping(patience=20), **options)
    part.fit(X, y, epochs=3, early_stopping=EarlyStopping(patience=20), callbacks=[Checkpoint(path)], **options)
    resumed = network(seed=99)
    resumed.fit(
        X, y, epochs=6, early_stopping=EarlyStopping(patience=20), callbacks=[Checkpoint(path)], resume=path, **options
    )
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    for name in ("loss", "val_loss", "accuracy", "learning_rate"):
        assert resumed.history_[name] == whole.history_[name]
    assert resumed.history_.epochs == [1, 2, 3, 4, 5, 6]
    # And once more from the checkpoint of the resumed fit, which has nothing left to do.
    again = network(seed=5).fit(X, y, epochs=6, resume=path, **options)
    assert again.history_.epochs == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_resumed_lbfgs_is_the_same_to_the_bit(tmp_path: Path, dtype: str) -> None:
    X, y = data()
    path = tmp_path / "fit.ckpt"
    options: dict[str, Any] = {"optimizer": LBFGS(history=3), "metrics": ["accuracy"], **QUIET}

    def make(seed: int = 0) -> Network:
        return Network([Dense(8), Tanh(), Dense(2)], random_state=seed, dtype=dtype)

    whole = make().fit(X, y, epochs=10, **options)
    assert len(whole.history_.epochs) == 10
    make().fit(X, y, epochs=5, callbacks=Checkpoint(path), **options)
    resumed = make(9).fit(X, y, epochs=10, resume=path, **options)
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    for name in ("loss", "accuracy"):
        assert resumed.history_[name] == whole.history_[name]
    # The pairs are what makes it so.
    file = checkpoint.CheckpointFile(path)
    assert file.tensors["search.curvature"].shape == (3,) and file.tensors["search.s.2"].dtype == np.float64


def test_lbfgs_that_was_done_stays_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, path = rng.normal(size=(30, 3)), tmp_path / "fit.ckpt"
    y = X @ np.array([[1.0], [2.0], [-1.0]])
    options: dict[str, Any] = {"optimizer": "lbfgs", **QUIET}
    whole = Network([Dense(1)], random_state=0).fit(X, y, epochs=60, callbacks=Checkpoint(path), **options)
    assert len(whole.history_.epochs) < 60
    resumed = Network([Dense(1)], random_state=1).fit(X, y, epochs=60, resume=path, **options)
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    assert resumed.history_.epochs == whole.history_.epochs


def test_resume_with_another_kind_of_random_numbers(tmp_path: Path) -> None:
    X, y = data(40)
    path = tmp_path / "c"

    def make() -> Network:
        return network(np.random.Generator(np.random.MT19937(3)))

    whole = make().fit(X, y, epochs=4, **QUIET)
    make().fit(X, y, epochs=2, callbacks=Checkpoint(path), **QUIET)
    np.testing.assert_array_equal(weights(make().fit(X, y, epochs=4, resume=path, **QUIET)), weights(whole))
    with pytest.raises(ParameterError, match="MT19937"):
        network().fit(X, y, resume=path, **QUIET)


def test_checkpoints_that_do_not_fit(tmp_path: Path) -> None:
    X, y = data(40)
    path = tmp_path / "c"
    network().fit(X, y, epochs=2, callbacks=Checkpoint(path), **QUIET)
    with pytest.raises(ModelFileError, match="optimizer is another"):
        network().fit(X, y, optimizer="sgd", resume=path, **QUIET)
    with pytest.raises(ModelFileError, match="network is another"):
        Network([Dense(2)]).fit(X, y, resume=path, **QUIET)
    with pytest.raises(ModelFileError, match="no checkpoint file"):
        network().fit(X, y, resume=tmp_path / "none", **QUIET)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ModelFileError, match="damaged"):
        network().fit(X, y, resume=path, **QUIET)
    network().fit(X, y, epochs=1, **QUIET).save(path)
    with pytest.raises(ModelFileError, match=r"chainrule\.load"):
        network().fit(X, y, resume=path, **QUIET)
    with pytest.raises(ParameterError, match="folder"):
        network().fit(X, y, callbacks=Checkpoint(tmp_path / "no" / "c"), **QUIET)
    with pytest.raises(ParameterError, match="every"):
        network().fit(X, y, callbacks=Checkpoint(path, every=0), **QUIET)


def test_when_checkpoints_are_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = data(40)
    saved: list[int] = []
    monkeypatch.setattr(checkpoint, "save_checkpoint", lambda trainer, path: saved.append(trainer.state.epoch))
    network().fit(X, y, epochs=5, callbacks=Checkpoint(tmp_path / "c", every=2), **QUIET)
    assert saved == [2, 4, 5]
    saved.clear()
    net = network().fit(
        X,
        y,
        epochs=8,
        learning_rate=0.1,
        validation_split=0.3,
        callbacks=Checkpoint(tmp_path / "c", best_only=True),
        **QUIET,
    )
    best = np.minimum.accumulate(net.history_["val_loss"])
    assert saved == [1, *(i + 2 for i in range(7) if best[i + 1] < best[i])]


def test_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = data(40)
    path = tmp_path / "c"
    network().fit(X, y, epochs=1, callbacks=Checkpoint(path), **QUIET)
    before = path.read_bytes()

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelFileError, match=r"Checkpoint: .* cannot be written: No space left on device"):
        network().fit(X, y, epochs=1, callbacks=Checkpoint(path), **QUIET)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def a_checkpoint(path: Path) -> tuple[np.ndarray, np.ndarray]:
    X, y = data(40)
    callbacks = [Checkpoint(path), EarlyStopping("loss", patience=9)]
    network().fit(X, y, epochs=2, optimizer=Adam(ReduceOnPlateau(0.01, monitor="loss")), callbacks=callbacks, **QUIET)
    return X, y


def resumed(path: Path, X: np.ndarray, y: np.ndarray) -> tuple[Network, BaseException | None]:
    """Resumes the fit; the network is as it was before the fit when that fails with a ModelFileError."""
    net = network(1)
    net.build((X.shape[1],))
    before, rng = net.parameters.flat.copy(), net.rng.bit_generator.state
    callbacks = [Checkpoint(path.with_name("other")), EarlyStopping("loss", patience=9)]
    optimizer = Adam(ReduceOnPlateau(0.01, monitor="loss"))
    try:
        net.fit(X, y, epochs=3, optimizer=optimizer, resume=path, callbacks=callbacks, **QUIET)
    except ModelFileError as error:
        np.testing.assert_array_equal(net.parameters.flat, before)
        assert net.rng.bit_generator.state == rng
        return net, error
    return net, None


def test_damaged_checkpoints_are_refused_and_change_nothing(tmp_path: Path) -> None:
    path, rng = tmp_path / "c", np.random.default_rng(0)
    X, y = a_checkpoint(path)
    good = path.read_bytes()
    assert resumed(path, X, y)[1] is None
    for i in range(120):
        blob = bytearray(good)
        if i % 3 == 0:
            blob = blob[: rng.integers(len(blob))]
        elif i % 3 == 1:
            at = rng.integers(len(blob) if i % 2 else 2000)
            blob[at] ^= 1 << rng.integers(8)
        else:
            at = rng.integers(len(blob) - 8)
            blob[at : at + 8] = rng.bytes(8)
        path.write_bytes(bytes(blob))
        error = resumed(path, X, y)[1]
        assert error is not None or bytes(blob) == good, i


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epoch", -1), ("epoch", "2"), ("step", None), ("seed", 1.5), ("rng", 3),
        ("rng", {"bit_generator": "PCG64", "state": {}}),
        ("schedule", {"best": "x"}), ("history", []), ("history", {"epochs": ["x"], "values": {}}), ("callbacks", 3),
        ("callbacks", [{"class": "EarlyStopping", "state": {"best_epoch": "x"}}]), ("layout", None), ("optimizer", 3),
    ],
)  # fmt: skip
def test_crafted_checkpoints_are_refused_and_change_nothing(tmp_path: Path, name: str, value: Any) -> None:
    """The checksum is right, and what it is of makes no sense."""
    import json

    from safetensors import safe_open
    from safetensors.numpy import save

    from chainrule.files import checksum

    path = tmp_path / "c"
    X, y = a_checkpoint(path)
    with safe_open(path, framework="numpy") as file:
        header = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    text = json.dumps({**json.loads(header["state"]), name: value})
    path.write_bytes(save(tensors, {"format": header["format"], "state": text, "checksum": checksum(tensors, text)}))
    _, error = resumed(path, X, y)
    assert error is not None and "c:" in str(error)


def test_a_checkpoint_without_its_arrays_is_refused(tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import save

    from chainrule.files import checksum

    path = tmp_path / "c"
    X, y = a_checkpoint(path)
    with safe_open(path, framework="numpy") as file:
        header = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    for key in ("arena.parameters", "arena.slot.m"):
        for changed in (None, tensors[key][:-1], tensors[key].astype(np.float64)):
            some = {**tensors, key: changed} if changed is not None else {n: a for n, a in tensors.items() if n != key}
            written = {"format": header["format"], "state": header["state"], "checksum": checksum(some, header["state"])}
            path.write_bytes(save(some, written))
            assert resumed(path, X, y)[1] is not None


def test_a_checkpoint_of_the_first_format_is_read(tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import save

    path = tmp_path / "c"
    X, y = a_checkpoint(path)
    whole = resumed(path, X, y)[0]
    with safe_open(path, framework="numpy") as file:
        state = file.metadata()["state"]
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    path.write_bytes(save(tensors, {"format": "chainrule checkpoint 1", "state": state}))
    again, error = resumed(path, X, y)
    assert error is None
    np.testing.assert_array_equal(again.parameters.flat, whole.parameters.flat)


# ---------------------------------------------------------------- Ctrl-C


def test_interrupt_keeps_what_was_learned() -> None:
    X, y = data()

    def stop(trainer: Any, epoch: int, logs: Any) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    net = network().fit(X, y, epochs=10, callbacks=LambdaCallback(on_epoch_end=stop), **QUIET)
    assert net.history_.interrupted
    assert net.history_.epochs == [1, 2, 3]
    np.testing.assert_array_equal(weights(net), weights(network().fit(X, y, epochs=3, **QUIET)))
    net.fit(X, y, epochs=1, **QUIET)
    assert not net.history_.interrupted


def test_interrupt_waits_for_the_step() -> None:
    with InterruptGuard() as guard:
        guard.busy = True
        signal.raise_signal(signal.SIGINT)
        assert guard.pending
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        guard.busy = False
        with pytest.raises(KeyboardInterrupt):
            guard.check()
        guard.check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_signal_during_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = data()
    net = network()
    session = Session.of(net)
    session.use_engine(QUIET["engine"])
    net.build((4,))
    executable = type(
        session.runtime.engine().compile(
            net.plan(1, training=False), {"parameters": net.parameters.flat, "states": net.states.flat}
        )
    )
    original, runs = executable.run_steps, []

    def run_steps(self: Any, *args: Any, **kwargs: Any) -> Any:
        runs.append(kwargs["steps"])
        if len(runs) == 4:
            signal.raise_signal(signal.SIGINT)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(executable, "run_steps", run_steps)
    net.fit(X, y, epochs=100, **QUIET)
    assert net.history_.interrupted
    assert net._runtime.trainer is not None
    assert len(runs) == 4  # the call in which it came was finished, and no other was made
    assert net._runtime.trainer.state.step == sum(runs)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_from_outside_ends_the_fit_well() -> None:
    code = (
        "import numpy as np\nfrom chainrule.model import Network\nfrom chainrule.layers import Dense, ReLU\n"
        "from chainrule.training import LambdaCallback\n"
        "X = np.random.default_rng(0).normal(size=(500, 20)).astype('float32')\n"
        "ready = LambdaCallback(on_epoch_end=lambda t, e, l: print('ready', flush=True) if e == 2 else None)\n"
        "net = Network([Dense(32), ReLU(), Dense(1)], random_state=0)\n"
        "net.fit(X, X[:, 0], epochs=10**6, verbose=0, engine='reference', callbacks=ready)\n"
        "print('interrupted', net.history_.interrupted, len(net.history_.epochs) >= 2)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert out.strip() == "interrupted True True", err


# ---------------------------------------------------------------- divergence


def test_divergence_names_the_layer_and_keeps_finite_weights() -> None:
    X, y = data()
    net = network()
    with pytest.raises(
        DivergenceError, match=r"layer '\d\.(dense|relu)'.*last finite loss.*smaller learning rate.*clip_norm"
    ):
        net.fit(X, y, optimizer=SGD(1e20), epochs=3, **QUIET)
    assert np.isfinite(weights(net)).all()
    assert np.isfinite(net.predict(X[:1] * 0)).all()
    assert net.history_.diverged


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (1e38, r"epoch 3, step 2 \(step 8 of the fit\).*forward pass of layer '3.dense'.*last finite loss was"),
        (1e300, r"epoch 3, step 1 \(step 7 of the fit\).*the update of layer '0.dense'.*last finite loss was"),
    ],
)
@pytest.mark.parametrize("how", ["chunk", "single", "watched"])
def test_weights_with_the_last_finite_loss_are_kept(
    rate: float, message: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = data(96)
    kwargs: dict[str, Any] = {"shuffle": False, "batch_size": 32, **QUIET}
    good = network().fit(X, y, optimizer=SGD(0.1), epochs=2, **kwargs)
    if how == "single":
        from chainrule.training import trainer

        monkeypatch.setattr(trainer, "CHUNK_SECONDS", 0.0)
    net = network()
    # Steps 1 to 6 at 0.1; step 7 moves the weights too far.
    too_far = SGD(lambda t: np.where(t < 7, 0.1, rate))
    with pytest.raises(DivergenceError, match=message + ".*before step 7 of the fit were kept"):
        net.fit(X, y, optimizer=too_far, epochs=5, callbacks=[LambdaCallback()] if how == "watched" else (), **kwargs)
    np.testing.assert_array_equal(weights(net), weights(good))
    assert net.history_.epochs == [1, 2]


def test_divergence_right_after_a_copy_goes_back_to_the_older_one() -> None:
    X, y = data(32)
    net = network()
    # One step an epoch, and a copy of the weights before each because a callback may change them.
    with pytest.raises(DivergenceError, match=r"epoch 4, step 1 \(step 4 of the fit\).*before step 3 of the fit were kept"):
        net.fit(
            X, y, optimizer=SGD(lambda t: np.where(t < 3, 0.1, 1e38)), callbacks=LambdaCallback(), epochs=9, **QUIET
        )  # fmt: skip
    good = network().fit(X, y, optimizer=SGD(0.1), callbacks=LambdaCallback(), epochs=2, **QUIET)
    np.testing.assert_array_equal(weights(net), weights(good))


def test_divergence_of_batches_from_an_iterator() -> None:
    X, y = data(64)
    net = network()
    with pytest.raises(DivergenceError, match="epoch 1"):
        net.fit([(X, y)] * 6, optimizer=SGD(1e20), epochs=3, **QUIET)
    assert np.isfinite(weights(net)).all()


def test_divergence_of_the_whole_data() -> None:
    X, y = data(64)
    net = network()
    X[3, 2] = 1e38
    net.build((4,))
    before = weights(net)
    net.parameters["0.dense.weight"][...] *= 100
    with pytest.raises(DivergenceError, match=r"LBFGS.*not finite at the start.*the forward pass of layer '0\.dense'"):
        net.fit(X, y, optimizer="lbfgs", epochs=3, **QUIET)
    assert net.history_.diverged
    assert np.isfinite(weights(net)).all()
    assert before.shape == weights(net).shape


def test_clipping_does_what_the_message_says() -> None:
    X, y = data()
    net = network().fit(X * 1e6, y, optimizer=Adam(0.01, clip_norm=1.0), epochs=2, **QUIET)
    assert np.isfinite(weights(net)).all()


# ---------------------------------------------------------------- progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_progress_is_a_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = data()
    network().fit(X, y, epochs=2, validation_split=0.2, engine=QUIET["engine"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1/2  loss ")
    for word in ("accuracy", "val_loss", "val_accuracy", "samples/s"):
        assert word in lines[1]
    network().fit(X, y, epochs=2, engine="reference", verbose=0)
    assert capsys.readouterr().out == ""


def test_live_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.training import progress

    monkeypatch.setattr(progress, "_EVERY", 0.0)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "140")
    X, y = data()
    out = Terminal()
    network().fit(X, y, epochs=3, callbacks=Progress(1, out), **QUIET)
    text = out.getvalue()
    assert "left" in text
    assert "━" in text
    last = text.splitlines()[-1]
    assert "epoch 3/3" in last
    assert "3 epochs in" in last


def test_numbers_are_short() -> None:
    from chainrule.training.progress import _count, _time

    counts = [_count(x) for x in (0, 7.1234, 999.4, 999.6, 123456, 999.9e3, 5e7, 2e12)]
    assert counts == ["0", "7.12", "999", "1 k", "123 k", "1 M", "50 M", "2e+03 G"]
    assert [_time(x) for x in (0.04, 9.96, 59.4, 61, 3725)] == ["0.0 s", "10.0 s", "59 s", "1:01", "1:02:05"]


def test_progress_tells_of_an_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = data()

    def stop(*args: Any) -> None:
        raise KeyboardInterrupt

    network().fit(X, y, epochs=5, callbacks=LambdaCallback(on_epoch_end=stop), engine=QUIET["engine"])
    assert "Interrupted after epoch 1 of 5" in capsys.readouterr().out


def test_silent_fits_do_not_import_rich(each_engine: str) -> None:
    heavy = ("rich", "sklearn", "pandas") if each_engine == "auto" else ("rich", "sklearn", "numba", "pandas")
    code = (
        "import numpy as np, sys\n"
        "from chainrule.model import Network\nfrom chainrule.layers import Dense\n"
        "Network([Dense(1)]).fit(np.ones((9, 2)), np.ones(9), epochs=1, verbose=0, "
        f"engine={each_engine!r})\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------- scikit-learn's callbacks


def test_callbacks_of_scikit_learn() -> None:
    pytest.importorskip("sklearn.callback")
    from sklearn.base import BaseEstimator

    from chainrule.training.sklearn_callbacks import CallbackSupport, SklearnCallbacks, with_callbacks

    events: list[str] = []

    class Watcher:
        def setup(self, estimator: Any, context: Any) -> None:
            events.append("setup")

        def teardown(self, estimator: Any, context: Any) -> None:
            events.append("teardown")

        def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
            events.append(f"begin {context.task_name}")

        def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any = None) -> bool:
            events.append(f"end {context.task_name} {fitted_estimator.net_.built}")
            return bool(context.task_name == "epoch" and context.task_id == 1)

    class Estimator(CallbackSupport, BaseEstimator):  # type: ignore[misc]
        @with_callbacks  # type: ignore[untyped-decorator]
        def fit(self, X: Any, y: Any) -> Any:
            net = network()
            callback = SklearnCallbacks(self, X, y, reconstruct=lambda: {"net_": net})
            self.net_ = net.fit(X, y, epochs=5, callbacks=callback, **QUIET)
            return self

    X, y = data(40)
    estimator = Estimator().set_callbacks(Watcher()).fit(X, y)
    epoch = ["begin epoch", "end epoch True"]
    assert events == ["setup", "begin fit", *epoch, *epoch, "end fit True", "teardown"]
    assert estimator.net_.history_.epochs == [1, 2]
    assert len(Estimator().fit(X, y).net_.history_.epochs) == 5


# ---------------------------------------------------------------- a fit that ends with an error


def best_and_weights(callback: EarlyStopping, net: Network) -> list[np.ndarray]:
    """Makes the callback list the weights at the end of every epoch."""
    seen: list[np.ndarray] = []
    inner = callback.on_epoch_end

    def on_epoch_end(state: Any, epoch: int, logs: Any) -> None:
        seen.append(net.parameters.flat.copy())
        inner(state, epoch, logs)

    callback.on_epoch_end = on_epoch_end  # type: ignore[method-assign]
    return seen


def test_the_best_weights_come_back_after_a_divergence() -> None:
    X, y = data()
    net, stopping = network(), EarlyStopping("loss", patience=100)
    seen = best_and_weights(stopping, net)

    def rate(t: np.ndarray) -> np.ndarray:
        return np.where(t <= 20, 0.05, 1e30)

    with pytest.raises(DivergenceError) as caught:
        net.fit(X, y, epochs=50, optimizer="sgd", learning_rate=rate, callbacks=stopping, **QUIET)
    assert len(seen) >= 2 and stopping.best_epoch_ >= 1
    np.testing.assert_array_equal(net.parameters.flat, seen[stopping.best_epoch_ - 1])
    assert any(f"weights of epoch {stopping.best_epoch_}" in note for note in caught.value.__notes__)


def test_the_best_weights_come_back_after_an_error_of_the_users_stream() -> None:
    X, y = data()
    epochs = iter(range(3))

    def batches() -> Any:
        number = next(epochs)
        yield X[:25], y[:25]
        if number == 2:
            raise OSError("the disk is gone")
        yield X[25:], y[25:]

    net, stopping = network(), EarlyStopping("loss", patience=100)
    seen = best_and_weights(stopping, net)
    with pytest.raises(OSError, match="the disk is gone"):
        net.fit(batches, epochs=10, callbacks=stopping, **QUIET)
    assert len(seen) == 2
    np.testing.assert_array_equal(net.parameters.flat, seen[stopping.best_epoch_ - 1])


def test_an_error_in_the_first_epoch_keeps_what_there_is() -> None:
    X, y = data()

    def batches() -> Any:
        yield X, y
        raise OSError("gone")

    net = network()
    with pytest.raises(OSError, match="gone") as caught:
        net.fit(batches, callbacks=EarlyStopping("loss"), **QUIET)
    assert not hasattr(caught.value, "__notes__") and np.isfinite(net.parameters.flat).all()


def test_a_callback_that_fails_after_an_error_does_not_hide_it() -> None:
    class Failing(Callback):
        def on_epoch_end(self, state: Any, epoch: int, logs: Any) -> None:
            raise ValueError("the first error")

        def on_fit_error(self, state: Any, error: BaseException) -> None:
            raise RuntimeError("another error")

    closed: list[str] = []

    class Closing(Callback):
        def close(self) -> None:
            closed.append("closed")

    X, y = data()
    with pytest.raises(ValueError, match="the first error") as caught:
        network().fit(X, y, callbacks=[Failing(), Closing()], **QUIET)
    assert closed == ["closed"] and "another error" in caught.value.__notes__[0]


def test_the_history_of_a_fit_that_was_interrupted_in_its_first_epoch_is_empty() -> None:
    class Interrupt(Callback):
        def on_epoch_begin(self, state: Any, epoch: int) -> None:
            raise KeyboardInterrupt

    X, y = data()
    net = network().fit(X, y, callbacks=Interrupt(), **QUIET)
    assert net.history_.interrupted and net.history_.epochs == []
    assert net.history_["loss"] == [] == net.history_["val_loss"]
    assert "loss" not in net.history_ and dict(net.history_) == {}
    with pytest.raises(DataError, match="no epoch was finished"):
        net.history_.best("loss")


# ---------------------------------------------------------------- signals


def test_a_signal_while_an_object_is_freed_is_not_lost() -> None:
    class Freed:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    with InterruptGuard() as guard:
        Freed()  # freed at once; an exception raised there would be thrown away
        assert guard.pending
        with pytest.raises(KeyboardInterrupt):
            guard.check()


def test_a_fit_ends_when_the_signal_came_while_an_object_was_freed() -> None:
    class Freed:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    X, y = data()
    callback = LambdaCallback(on_epoch_end=lambda state, epoch, logs: Freed() if epoch == 3 else None)
    net = network().fit(X, y, epochs=50, callbacks=callback, **QUIET)
    assert net.history_.interrupted and 3 <= len(net.history_.epochs) <= 4
    last = LambdaCallback(on_epoch_end=lambda state, epoch, logs: Freed() if epoch == 2 else None)
    assert network().fit(X, y, epochs=2, callbacks=last, **QUIET).history_.interrupted  # after the last step


def test_a_signal_that_python_throws_away_arrives_with_the_next_step() -> None:
    class Thing:
        pass

    def thrown_away(reference: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    X, y = data()
    things = [Thing()]
    reference = weakref.ref(things[0], thrown_away)

    def free(state: Any, epoch: int, logs: Any) -> None:
        things.clear()

    hook, seen = sys.unraisablehook, list[Any]()
    sys.unraisablehook = seen.append
    try:
        net = network().fit(X, y, epochs=50, callbacks=LambdaCallback(on_epoch_end=free), **QUIET)
    finally:
        sys.unraisablehook = hook
    assert reference() is None and len(seen) == 1
    assert net.history_.interrupted and len(net.history_.epochs) <= 2


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_sigterm_ends_a_fit_as_ctrl_c_does() -> None:
    X, y = data()

    def stop(state: Any, epoch: int, logs: Any) -> None:
        if epoch == 2:
            signal.raise_signal(signal.SIGTERM)

    net = network()
    with pytest.raises(Terminated) as end:
        net.fit(X, y, epochs=50, callbacks=LambdaCallback(on_epoch_end=stop), **QUIET)
    assert end.value.code == 143
    assert net.history_.interrupted and net.history_.epochs == [1, 2]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert net.fit(X, y, epochs=1, **QUIET).history_.epochs == [1]  # a program that caught it goes on


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_after_sigterm_what_a_longer_call_learned_is_kept_first() -> None:
    X, y = data()
    fits = {"series": 1, "classes": 1, "watched": 1}

    def stop(name: str) -> LambdaCallback:
        def once(state: Any, epoch: int, logs: Any) -> None:
            if fits.pop(name, 0):
                signal.raise_signal(signal.SIGTERM)

        return LambdaCallback(on_epoch_end=once)

    series = NeuralForecaster(window=3, hidden=(4,), epochs=50, callbacks=[stop("series")])
    with pytest.raises(Terminated):
        series.fit(np.arange(40.0))
    assert series.predict().shape == (1,)
    classifier = NeuralClassifier(epochs=50, callbacks=[stop("classes")])
    with pytest.raises(Terminated):
        classifier.fit(X, y)
    assert classifier.predict(X).shape == (len(X),)
    watched = network()
    with pytest.raises(Terminated):
        watched.fit(X, y, epochs=50, diagnose=True, callbacks=stop("watched"), **QUIET)
    assert watched.diagnosis_ is not None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_sigterm_between_fits_ends_the_block_at_once_and_while_an_object_is_freed_at_its_end() -> None:
    class Freed:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    done: list[str] = []
    with pytest.raises(Terminated), sigterm_at_end(), sigterm_at_end():
        signal.raise_signal(signal.SIGTERM)
        done.append("never")  # pragma: no cover
    with pytest.raises(Terminated), sigterm_at_end():
        Freed()
        done.append("after")
    assert done == ["after"] and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_script_of_several_fits_ends_with_the_exit_code_of_sigterm() -> None:
    code = (
        "import atexit, signal\nimport numpy as np\nfrom chainrule import Dense, Network\n"
        "from chainrule.training import LambdaCallback\n"
        "stop = LambdaCallback(on_epoch_end=lambda *a: signal.raise_signal(signal.SIGTERM))\n"
        "atexit.register(print, 'tidied up')\n"
        "for i in range(3):\n"
        "    net = Network([Dense(1)], random_state=0)\n"
        "    try:\n"
        "        net.fit(np.ones((4, 2)), np.ones((4, 1)), callbacks=stop, engine='reference', epochs=9, verbose=0)\n"
        "    finally:\n"
        "        print('fit', i, net.history_.epochs)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (143, "fit 0 [1]\ntidied up\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_second_sigterm_ends_the_process() -> None:
    code = (
        "import signal\nfrom chainrule.training.interrupt import InterruptGuard, sigterm_at_end\n"
        "with InterruptGuard() as guard:\n"
        "    guard.busy = True\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    print('first', guard.pending, flush=True)\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    print('second', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "first True\n" and done.returncode == -signal.SIGTERM


def test_a_handler_of_the_program_is_left_alone() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        with InterruptGuard() as guard:
            signal.raise_signal(signal.SIGTERM)
            assert seen == [signal.SIGTERM] and not guard.pending
    finally:
        signal.signal(signal.SIGTERM, before)
