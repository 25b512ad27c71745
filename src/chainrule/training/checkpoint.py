"""Checkpoints: everything a fit needs to go on as if it had never been interrupted."""

from __future__ import annotations

import copy
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError, ParameterError
from ..network.parameters import Arena, kind_of
from ..optimizers.schedules import Schedule
from .callbacks import Callback, Logs, Monitor
from .history import History

if TYPE_CHECKING:
    from .state import FitState
    from .trainer import Trainer

#: Changes when the layout of the file does.
FORMAT = "chainrule checkpoint 1"


class Checkpoint(Callback):
    """Saves the fit every few epochs, for ``fit(..., resume=path)``.

    One safetensors file holds parameters, states and optimizer slots (for LBFGS also its curvature pairs and where its
    search stands), and in its header as JSON the step, the epoch, the state of the random generator, of the schedule and of
    the other callbacks, and the history. It is written beside its place and then moved there, so an interrupted save leaves
    the old file.

    Parameters
        path : of the file ; every : epochs between saves = 1, int >= 1; the last epoch is always saved
        best_only : save only when ``monitor`` improved = False ; monitor : a name in the logs = "val_loss" ;
        largest : whether larger is better; None takes it from the metric
    Raises      ParameterError when ``every`` is below 1 or the logs lack the number
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        every: int = 1,
        best_only: bool = False,
        monitor: str = "val_loss",
        largest: bool | None = None,
    ) -> None:
        self.path, self.every, self.best_only = path, every, best_only
        self.monitor, self.largest = monitor, largest

    def on_fit_begin(self, state: FitState) -> None:
        if isinstance(self.every, bool) or not isinstance(self.every, int) or self.every < 1:
            raise ParameterError(f"Checkpoint: every must be an int of at least 1. Got {self.every!r}.")
        folder = Path(self.path).parent
        if not folder.is_dir():
            raise ParameterError(f"Checkpoint: the folder {str(folder)!r} does not exist. Make it before the fit.")
        self._monitor = Monitor(self.monitor, largest=self.largest)

    def on_epoch_end(self, state: FitState, epoch: int, logs: Logs) -> None:
        if self.best_only:
            self._wanted = self._monitor.improved(epoch, logs)
        else:
            self._wanted = epoch % self.every == 0 or epoch == state.epochs

    def save(self, trainer: Trainer) -> None:
        """Saves when this epoch asks for it; the trainer calls it after all callbacks have seen the epoch."""
        if self._wanted or (trainer.state.stop and not self.best_only):
            save_checkpoint(trainer, self.path)

    def state(self) -> dict[str, Any]:
        return {"best": self._monitor.best, "best_epoch": self._monitor.best_epoch}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._monitor.best, self._monitor.best_epoch = state["best"], int(state["best_epoch"])


def save_checkpoint(trainer: Trainer, path: str | os.PathLike[str]) -> None:
    """Writes the trainer's state to ``path``, atomically."""
    from safetensors.numpy import save

    tensors: dict[str, NDArray[Any]] = {}
    for kind, arena in _arenas(trainer).items():
        tensors[f"arena.{kind}"] = arena.packed(trainer.arenas, kind)
    for name, array in trainer.network.held_arrays().items():
        tensors[f"held.{name}"] = array.copy()
    for name, array in trainer.search.items():
        tensors[f"search.{name}"] = np.ascontiguousarray(array).reshape(array.shape)
    callbacks = []
    for i, callback in enumerate(trainer.callbacks):
        plain = {}
        for key, value in callback.state().items():
            if isinstance(value, np.ndarray):
                tensors[f"callback.{i}.{key}"] = np.ascontiguousarray(value)
            else:
                plain[key] = value
        callbacks.append({"class": type(callback).__name__, "state": plain})
    meta = {
        "layout": layout(trainer),
        "representations": _representations(trainer),
        "optimizer": describe_optimizer(trainer),
        "epoch": trainer.state.epoch,
        "step": trainer.state.step,
        "seed": trainer.seed,
        "rng": _plain(trainer.rng.bit_generator.state),
        "schedule": _plain(trainer.schedule_state()),
        "history": trainer.state.history.state(),
        "callbacks": _plain(callbacks),
    }
    data = save(tensors, {"format": FORMAT, "state": json.dumps(meta)})
    target = Path(path)
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


class CheckpointFile:
    """A checkpoint that was read. Attributes  meta : the state ; tensors : the arenas and the callbacks' arrays

    Raises      ModelFileError when the file is missing, damaged or no checkpoint
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from safetensors import SafetensorError, safe_open

        self.path = str(path)
        if not os.path.isfile(self.path):
            raise ModelFileError(
                f"resume: there is no checkpoint file {self.path!r}. Start with callbacks=[Checkpoint(path)]."
            )
        try:
            with safe_open(self.path, framework="numpy") as file:
                header = file.metadata() or {}
                if header.get("format") != FORMAT:
                    raise ModelFileError(
                        f"{self.path}: expected a file of format {FORMAT!r}, got {header.get('format')!r}. "
                        f"A saved model is loaded with chainrule.load(path)."
                    )
                self.meta: dict[str, Any] = json.loads(header["state"])
                self.tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            if isinstance(error, ModelFileError):
                raise
            raise ModelFileError(f"{self.path}: the checkpoint is damaged ({error}). Resume from an older one.") from error

    @property
    def seed(self) -> int:
        return int(self.meta["seed"])

    def apply(self, trainer: Trainer) -> None:
        """Gives the trainer the state of the checkpoint.

        Raises      ModelFileError when it is that of another network or optimizer
        """
        for what, mine in (("layout", layout(trainer)), ("optimizer", describe_optimizer(trainer))):
            if self.meta[what] != mine:
                raise ModelFileError(
                    f"{self.path}: the checkpoint's {'network' if what == 'layout' else 'optimizer'} is another one. "
                    f"In the file: {_short(self.meta[what])}. In this fit: {_short(mine)}. Resume with the same ones."
                )
        for kind, arena in _arenas(trainer).items():
            arena.unpack(self.tensors[f"arena.{kind}"], trainer.arenas, kind)
        trainer.search = {n.removeprefix("search."): a for n, a in self.tensors.items() if n.startswith("search.")}
        state = trainer.state
        state.epoch, state.step, trainer.seed = int(self.meta["epoch"]), int(self.meta["step"]), self.seed
        trainer.restore_rng(_unplain(self.meta["rng"]))
        trainer.restore_schedule(_unplain(self.meta["schedule"]))
        state.history = History.from_state(self.meta["history"])

    def apply_representations(self, trainer: Trainer) -> None:
        """Gives the representations of parameters, masks for example, the arrays of the checkpoint.

        This comes after the callbacks have begun, as one of them may be what prunes the network.

        Raises      ModelFileError when the parameters are held in other ways than in the checkpoint
        """
        saved, mine = self.meta.get("representations", {}), _representations(trainer)
        for name in sorted(saved.keys() | mine.keys()):
            if saved.get(name) != mine.get(name):
                raise ModelFileError(
                    f"{self.path}: the checkpoint holds {name!r} as {saved.get(name, 'it is')}, this network holds it as "
                    f"{mine.get(name, 'it is')}. Represent or prune the network as before, then resume."
                )
        for name, array in trainer.network.held_arrays().items():
            np.copyto(array, self.tensors[f"held.{name}"])
        for variable in trainer.network.parameters.variables.values():
            variable.changed()

    def apply_to_callbacks(self, callbacks: list[Callback]) -> None:
        """Gives each callback the state that the one of its class had, in order."""
        waiting = list(callbacks)
        for i, saved in enumerate(self.meta["callbacks"]):
            for callback in waiting:
                if type(callback).__name__ == saved["class"]:
                    start = f"callback.{i}."
                    arrays = {n.removeprefix(start): a for n, a in self.tensors.items() if n.startswith(start)}
                    state = {**_unplain(saved["state"]), **arrays}
                    if state:
                        callback.restore(state)
                    waiting.remove(callback)
                    break


def _arenas(trainer: Trainer) -> dict[str, Arena]:
    """The kinds of flat arrays that a checkpoint holds, each with its layout."""
    network = trainer.network
    held = network.held_arrays()
    kinds = dict.fromkeys(kind_of(name) for name in trainer.arenas if name not in held)
    return {kind: network.states if kind == "states" else network.parameters for kind in kinds if kind != "gradients"}


def _representations(trainer: Trainer) -> dict[str, str]:
    """The kinds of the network's representations."""
    return {name: type(r).__name__ for name, r in trainer.network.representations().items()}


def layout(trainer: Trainer) -> dict[str, Any]:
    """Names and shapes of all parameters and states."""
    network = trainer.network
    arenas = (("parameters", network.parameters), ("states", network.states))
    found: dict[str, Any] = {w: {n: list(e.shape) for n, e in a.entries.items()} for w, a in arenas}
    return {**found, "dtype": network.dtype}


def describe_optimizer(trainer: Trainer) -> str:
    """The optimizer and its arguments as text; a plain function as schedule only as that."""
    optimizer = trainer.optimizer
    if callable(optimizer.learning_rate) and not isinstance(optimizer.learning_rate, Schedule):
        optimizer = copy.copy(optimizer)
        optimizer.learning_rate = "a function"
    return repr(optimizer)


def _short(value: object, limit: int = 200) -> str:
    text = str(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _plain(value: Any) -> Any:
    """Nested values as JSON holds them exactly; arrays (of some random generators) are marked."""
    if isinstance(value, np.ndarray):
        return {"__array__": value.tolist(), "dtype": str(value.dtype)}
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"__float__": repr(value)}
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    raise ParameterError(f"a checkpoint keeps plain numbers, texts, lists and arrays. Got {value!r}.")


def _unplain(value: Any) -> Any:
    if isinstance(value, Mapping):
        if "__array__" in value:
            return np.array(value["__array__"], dtype=np.dtype(value["dtype"]))
        if "__float__" in value:
            return float(value["__float__"])
        return {k: _unplain(v) for k, v in value.items()}
    return [_unplain(v) for v in value] if isinstance(value, list) else value
