"""Kills processes while they save, and sends signals to fits, at moments that are drawn.

    python tests/fuzzing/fuzz.py kill-model interrupt-network --rounds 500 --seed 7

After a kill the file is the old one or the new one, whole, and nothing unfinished stays after the next save. After Ctrl-C
and SIGTERM the fit ends, with the weights of its last whole step or of its best epoch, and the signal is not lost.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import chainrule
from chainrule import Dense, Dropout, Network, NeuralClassifier, ReLU
from chainrule.errors import Terminated
from chainrule.training import Callback, Checkpoint, EarlyStopping

__all__ = ["CAMPAIGNS", "interrupt", "kill_while_saving"]

Rng = np.random.Generator
Save = Callable[[], None]
#: Seconds after which a fit that was sent a signal hangs.
PATIENCE = 30.0
EPOCHS = 10**8
_CHECKPOINTS = 40

_DATA = np.random.default_rng(0)
X = _DATA.normal(size=(96, 6)).astype(np.float32)
y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)


def _rng(name: str, seed: int, number: int) -> Rng:
    return np.random.default_rng([seed, zlib.crc32(name.encode()), number])


def _settings(engine: str = "reference") -> dict[str, Any]:
    return {"batch_size": 16, "engine": engine, "threads": 1, "verbose": 0}


def _network(seed: int, units: int = 8) -> Network:
    return Network([Dense(units), ReLU(), Dropout(0.1), Dense(2)], random_state=seed)


# ---------------------------------------------------------------- kill -9 while saving


def kill_while_saving(save: Save, check: Callable[[], str | None], folder: Path, seconds: float) -> str | None:
    """What is wrong after a process that saves again and again was killed after so many seconds; None for nothing.

    Parameters  save : is called until the end comes ; check : looks at what was saved, and saves once more itself
    """
    child = os.fork()
    if not child:
        try:
            while True:
                save()
        finally:
            os._exit(1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        return f"the process that saves ended by itself, with {status}"
    wrong = check()
    left = sorted(path.name for path in folder.glob(".*"))
    return wrong or (f"left unfinished after the next save: {left}" if left else None)


def _kill_model(folder: Path) -> tuple[Save, Callable[[], str | None]]:
    """Two networks that are saved in turn to one place."""
    nets = [_network(seed, 300).build((200,)) for seed in (1, 2)]
    return _saved_in_turn(nets, folder / "m.chainrule", lambda net: net.parameters.flat)


def _kill_estimator(folder: Path) -> tuple[Save, Callable[[], str | None]]:
    models = [NeuralClassifier(hidden=(300,), epochs=1, engine="reference", random_state=seed) for seed in (1, 2)]
    models = [model.fit(X, y) for model in models]
    return _saved_in_turn(models, folder / "m.chainrule", lambda model: model.network_.parameters.flat)


def _saved_in_turn(things: list[Any], place: Path, weights: Callable[[Any], Any]) -> tuple[Save, Callable[[], str | None]]:
    things[0].save(place)

    def save() -> None:
        for thing in things[::-1]:
            thing.save(place)

    def check() -> str | None:
        found = weights(chainrule.load(place))
        whole = any(np.array_equal(found, weights(thing)) for thing in things)
        things[0].save(place)
        return None if whole else "the file is neither the old one nor the new one"

    return save, check


def _kill_checkpoint(folder: Path) -> tuple[Save, Callable[[], str | None]]:
    """A fit with a checkpoint after every epoch, whose weights after each of them are known."""
    place, kept = folder / "c.checkpoint", {0: None}

    class Keep(Callback):
        def on_epoch_end(self, state: Any, epoch: int, logs: Any) -> None:
            kept[epoch] = state.network.parameters.flat.copy()

    def fit(epochs: int, **more: Any) -> Network:
        return _network(1, 100).fit(X, y, epochs=epochs, **more, **_settings())

    fit(_CHECKPOINTS, callbacks=[Keep()])
    fit(1, callbacks=[Checkpoint(place)])

    def save() -> None:
        fit(_CHECKPOINTS, callbacks=[Checkpoint(place)])

    def check() -> str | None:
        from chainrule.training.checkpoint import CheckpointFile

        epoch = CheckpointFile(place).epoch
        found = fit(epoch, resume=place, callbacks=[Checkpoint(place)]).parameters.flat
        fit(1, callbacks=[Checkpoint(place)])
        return None if np.array_equal(found, kept[epoch]) else f"the checkpoint of epoch {epoch} has other weights"

    return save, check


# ---------------------------------------------------------------- signals during a fit


class Hang(BaseException):
    """A fit went on after a signal."""


_SENDER = """
import os, sys, time
for line in sys.stdin:
    pid, number, seconds = line.split()
    time.sleep(float(seconds))
    os.kill(int(pid), int(number))
    print("sent", flush=True)
"""


class Sender:
    """A process that sends signals to this one after so many seconds."""

    def __enter__(self) -> Sender:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([sys.executable, "-c", _SENDER], text=True, **pipes)
        return self

    def __exit__(self, *error: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(PATIENCE)

    def send(self, number: int, seconds: float) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{os.getpid()} {int(number)} {seconds}\n")
        self.process.stdin.flush()

    def sent(self) -> None:
        """Waits until the signal was sent."""
        assert self.process.stdout is not None
        self.process.stdout.readline()


@contextmanager
def _not_longer_than(seconds: float) -> Iterator[None]:
    def end(number: int, frame: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def interrupt(fit: Callable[[Callback], Any], number: int, seconds: float, sender: Sender, *, early: bool) -> str | None:
    """Sends a signal to a fit; what is wrong with how it ends, None for nothing.

    Parameters  fit : begins a fit that only a signal ends, with a callback more ; early : the seconds count from before the
                fit, and not from its first step, for a signal that the program can catch itself
    """
    steps: list[int] = []

    class Trigger(Callback):
        changes_weights = False

        def on_fit_begin(self, state: Any) -> None:
            steps.append(0)
            if not early:
                sender.send(number, seconds)

    how = wrong = ""
    try:
        with _not_longer_than(PATIENCE):
            try:
                if early:
                    sender.send(number, seconds)
                fit(Trigger())
                how = "returned"
            except Terminated:
                how = "terminated"
            except KeyboardInterrupt:
                how = "raised"
            except Exception as error:
                how, wrong = "failed", f"the fit ended with {type(error).__name__}: {error}"
            sender.sent()
    except Hang:
        if how:
            return "the signal was never sent"
        sender.sent()
        return "the signal was lost: the fit went on"
    except KeyboardInterrupt:
        return f"the fit {how} before the signal came"
    if wrong:
        return wrong
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    for one, handler in usual.items():
        if signal.getsignal(one) is not handler:
            return f"the handler of signal {one} is another than before"
    if (how == "terminated") != (number == signal.SIGTERM):
        return f"after the signal {number} the fit {how}"
    return None


class _Steps(Callback):
    """Counts the steps, keeps the best epoch's weights, or ends the fit after so many steps."""

    def __init__(self, end: int | None = None) -> None:
        self.end, self.fit, self.best = end, None, (np.inf, None)

    def on_fit_begin(self, state: Any) -> None:
        self.fit = state

    def next_step(self, state: Any) -> int | None:
        return self.end

    def on_step(self, state: Any) -> None:
        if state.step == self.end:
            raise KeyboardInterrupt

    def on_epoch_end(self, state: Any, epoch: int, logs: Any) -> None:
        if logs.get("val_loss", np.inf) < self.best[0]:
            self.best = logs["val_loss"], state.network.parameters.flat.copy()


def _interrupt_network(number: int, rng: Rng, sender: Sender, folder: Path) -> str | None:
    """Without early stopping: the weights are those after a whole number of steps, found again by a fit of as many."""
    settings = _settings(("reference", "auto")[int(rng.integers(2))])
    net, steps = _network(3), _Steps()

    def fit(trigger: Callback) -> None:
        net.fit(X, y, epochs=EPOCHS, callbacks=[steps, trigger], **settings)

    wrong = interrupt(fit, number, float(rng.uniform(0, 0.03)), sender, early=number == signal.SIGINT)
    if wrong is None and steps.fit is not None and steps.fit.step:
        again = _network(3).fit(X, y, epochs=EPOCHS, callbacks=[_Steps(steps.fit.step)], **settings)
        if not np.array_equal(again.parameters.flat, net.parameters.flat):
            return f"the weights are not those after {steps.fit.step} steps"
    return wrong


def _interrupt_early_stopping(number: int, rng: Rng, sender: Sender, folder: Path) -> str | None:
    """The weights are those of the best epoch, where one was finished."""
    net, steps = _network(4), _Steps()

    def fit(trigger: Callback) -> None:
        stopping = EarlyStopping("val_loss", patience=EPOCHS)
        net.fit(X, y, epochs=EPOCHS, validation_split=0.3, callbacks=[steps, stopping, trigger], **_settings())

    wrong = interrupt(fit, number, float(rng.uniform(0, 0.03)), sender, early=number == signal.SIGINT)
    best = steps.best[1]
    if wrong is None and best is not None and not np.array_equal(net.parameters.flat, best):
        return "the weights are not those of the best epoch"
    return wrong


def _interrupt_estimator(number: int, rng: Rng, sender: Sender, folder: Path) -> str | None:
    """What was fitted predicts and can be saved."""
    made: list[NeuralClassifier] = []

    def fit(trigger: Callback) -> None:
        how = {"early_stopping": True, "patience": EPOCHS, "epochs": EPOCHS, "engine": "reference"}
        made.append(NeuralClassifier(hidden=(8,), random_state=1, callbacks=[trigger], **how))
        made[-1].fit(X, y)

    wrong = interrupt(fit, number, float(rng.uniform(0, 0.03)), sender, early=False)
    if wrong is None:
        place = folder / "e.chainrule"
        made[-1].save(place)
        if not np.array_equal(chainrule.load(place).predict(X), made[-1].predict(X)):
            return "the saved estimator predicts something else"
    return wrong


def _interrupt_checkpoint(number: int, rng: Rng, sender: Sender, folder: Path) -> str | None:
    """The signal mostly comes while a checkpoint is being written; what is there is whole."""
    from chainrule.training.checkpoint import CheckpointFile

    place = folder / "c.checkpoint"
    place.unlink(missing_ok=True)
    net, steps = _network(5, 100), _Steps()

    def fit(trigger: Callback) -> None:
        net.fit(X, y, epochs=EPOCHS, callbacks=[steps, Checkpoint(place), trigger], **_settings())

    wrong = interrupt(fit, number, float(rng.uniform(0, 0.03)), sender, early=False)
    if wrong is None and place.exists():
        epoch = CheckpointFile(place).epoch
        if steps.fit is not None and not steps.fit.epoch - 1 <= epoch <= steps.fit.epoch:
            return f"the checkpoint is of epoch {epoch}, and the fit ended in epoch {steps.fit.epoch}"
    again = Checkpoint(place)
    _network(5, 100).fit(X, y, epochs=1, callbacks=[again], **_settings())
    left = sorted(path.name for path in folder.glob(".*"))
    return wrong or (f"left unfinished after the next save: {left}" if left else None)


# ---------------------------------------------------------------- campaigns


def _kills(make: Callable[[Path], tuple[Save, Callable[[], str | None]]]) -> Callable[..., Iterator[tuple[int, str]]]:
    def campaign(name: str, seed: int, rounds: int, folder: Path) -> Iterator[tuple[int, str]]:
        save, check = make(folder)
        for number in range(rounds):
            wrong = kill_while_saving(save, check, folder, float(_rng(name, seed, number).uniform(0, 0.02)))
            if wrong is not None:
                yield number, wrong

    return campaign


def _interrupts(trial: Callable[..., str | None]) -> Callable[..., Iterator[tuple[int, str]]]:
    def campaign(name: str, seed: int, rounds: int, folder: Path) -> Iterator[tuple[int, str]]:
        with Sender() as sender:
            for number in range(rounds):
                sent = (signal.SIGINT, signal.SIGTERM)[number % 2]
                wrong = trial(sent, _rng(name, seed, number), sender, folder)
                if wrong is not None:
                    yield number, wrong

    return campaign


#: By name; each gives the number of a trial and what was wrong with it. They fork, so they run in a process of one thread.
CAMPAIGNS: dict[str, Callable[[str, int, int, Path], Iterator[tuple[int, str]]]] = {
    "kill-model": _kills(_kill_model),
    "kill-estimator": _kills(_kill_estimator),
    "kill-checkpoint": _kills(_kill_checkpoint),
    "interrupt-network": _interrupts(_interrupt_network),
    "interrupt-early-stopping": _interrupts(_interrupt_early_stopping),
    "interrupt-estimator": _interrupts(_interrupt_estimator),
    "interrupt-checkpoint": _interrupts(_interrupt_checkpoint),
}
