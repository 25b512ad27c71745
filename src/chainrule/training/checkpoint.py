"""Checkpoints: everything a fit needs to go on as if it had never been interrupted."""

from __future__ import annotations

import copy
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval
from ..errors import ModelFileError, ParameterError
from ..files import checksum, write_whole
from ..network.parameters import Arena, kind_of
from ..optimizers.schedules import Schedule
from .callbacks import Callback, Logs, Monitor
from .history import History

if TYPE_CHECKING:
    from ..network import NetworkGraph
    from .state import FitState
    from .trainer import Trainer

#: Changes when the layout of the file does. The first format had no checksum.
FORMAT = "chainrule checkpoint 2"
_FORMATS = ("chainrule checkpoint 1", FORMAT)


class Checkpoint(Callback):
    """Saves the fit every few epochs, for ``fit(..., resume=path)``.

    One safetensors file holds parameters, states and optimizer slots (for LBFGS also its curvature pairs and where its
    search stands), and in its header as JSON the step, the epoch, the state of the random generator, of the schedule and of
    the other callbacks, and the history, with a checksum of all of it. A save that is interrupted leaves the old file.

    Parameters
        path : of the file ; every : epochs between saves = 1, int >= 1; the last epoch is always saved
        best_only : save only when ``monitor`` improved = False ; monitor : a name in the logs = "val_loss" ;
        largest : whether larger is better; None takes it from the metric
    Raises      ParameterError when ``every`` is below 1 or the logs lack the number
    """

    changes_weights = False

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
        self.every = Interval(int, 1).check("Checkpoint", "every", self.every)
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
        if not callable(callback.state):
            raise ParameterError(
                f"Checkpoint: {type(callback).__name__} has an attribute 'state' in place of the method Callback.state, by "
                "which a checkpoint keeps what a callback knows. Give the attribute another name."
            )
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
    text = json.dumps(meta)
    header = {"format": FORMAT, "state": text, "checksum": checksum(tensors, text)}
    write_whole(path, save(tensors, header), what="Checkpoint", error=ModelFileError)


class CheckpointFile:
    """A checkpoint that was read and checked. Nothing of a damaged one reaches the trainer.

    Attributes  meta : the state ; tensors : the arenas and the callbacks' arrays ; seed : of the fit
    Raises      ModelFileError when the file is missing, damaged or no checkpoint
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        #: The network's arrays and random numbers before ``apply``.
        self._before: tuple[dict[str, NDArray[Any]], Any] | None = None
        if not os.path.isfile(self.path):
            raise ModelFileError(
                f"resume: there is no checkpoint file {self.path!r}. Start with callbacks=[Checkpoint(path)]."
            )
        with self._damaged():
            self.meta, self.tensors = self._read()
            self.seed, self.epoch, self.step = (_count(self.meta[name]) for name in ("seed", "epoch", "step"))
            self.history = History.from_state(self.meta["history"])
            self.rng, self.schedule = dict(_unplain(self.meta["rng"])), dict(_unplain(self.meta["schedule"]))
            self.callbacks = [(str(one["class"]), dict(_unplain(one["state"]))) for one in self.meta["callbacks"]]
            self.representations = {str(n): str(how) for n, how in self.meta.get("representations", {}).items()}

    def _read(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        from safetensors import safe_open

        with safe_open(self.path, framework="numpy") as file:
            header = file.metadata() or {}
            if header.get("format") not in _FORMATS:
                raise ModelFileError(
                    f"{self.path}: expected a file of format {FORMAT!r}, got {header.get('format')!r:.60}. "
                    f"A saved model is loaded with chainrule.load(path)."
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        if header["format"] == FORMAT and header["checksum"] != checksum(tensors, header["state"]):
            raise ValueError("the checksum is not that of the content")
        return json.loads(header["state"]), tensors

    @contextmanager
    def _damaged(self) -> Iterator[None]:
        """Turns whatever goes wrong with what is read from the file into a ModelFileError."""
        try:
            yield
        except Exception as error:
            if isinstance(error, ModelFileError) and str(error).startswith(self.path):
                raise
            # The content comes from the file and nobody has checked it: whatever it leads to, the file is bad.
            reason = f"{type(error).__name__}: {error}"
            raise ModelFileError(
                f"{self.path}: the checkpoint is damaged ({reason:.200}). Resume from an older one."
            ) from error

    def states(self, network: NetworkGraph) -> dict[str, NDArray[Any]] | None:
        """The states of the layers by name, as ``apply`` gives them to the network; None for a network of another layout."""
        flat, wanted = self.tensors.get("arena.states"), self.meta.get("layout", {})
        own = {name: list(e.shape) for name, e in network.states.entries.items()}
        if flat is None or not isinstance(wanted, dict) or wanted.get("states") != own:
            return None
        with self._damaged():
            return network.states.unpacked(flat)

    def apply(self, trainer: Trainer) -> None:
        """Gives the trainer the state of the checkpoint.

        Raises      ModelFileError when it is that of another network or optimizer, or damaged; the trainer is then unchanged
        """
        with self._damaged():
            for what, mine in (("layout", layout(trainer)), ("optimizer", describe_optimizer(trainer))):
                if self.meta[what] != mine:
                    raise ModelFileError(
                        f"{self.path}: the checkpoint's {'network' if what == 'layout' else 'optimizer'} is another one. "
                        f"In the file: {_short(self.meta[what])}. In this fit: {_short(mine)}. Resume with the same ones."
                    )
            arenas = _arenas(trainer)
            for kind, arena in arenas.items():
                own, saved = arena.packed(trainer.arenas, kind), self.tensors[f"arena.{kind}"]
                if (own.shape, own.dtype) != (saved.shape, saved.dtype):
                    raise ValueError(f"{kind}: {saved.shape} of {saved.dtype} in place of {own.shape} of {own.dtype}")
            # What may still be refused is tried on copies first.
            schedule = copy.deepcopy(trainer.optimizer.learning_rate)
            if isinstance(schedule, Schedule):
                schedule.load_state(self.schedule)
        trainer.check_rng(self.rng)
        with self._damaged():
            type(trainer.rng.bit_generator)().state = self.rng
        self._before = {
            kind: arenas[kind].packed(trainer.arenas, kind) for kind in ("parameters", "states")
        }, trainer.rng.bit_generator.state  # fmt: skip
        for kind, arena in arenas.items():
            arena.unpack(self.tensors[f"arena.{kind}"], trainer.arenas, kind)
        trainer.search = {n.removeprefix("search."): a for n, a in self.tensors.items() if n.startswith("search.")}
        state = trainer.state
        state.epoch, state.step, trainer.seed, state.history = self.epoch, self.step, self.seed, self.history
        trainer.rng.bit_generator.state = self.rng
        trainer.restore_schedule(self.schedule)

    def undo(self, trainer: Trainer) -> None:
        """Gives the network the weights and the random numbers that it had before ``apply``."""
        if self._before is not None:
            packed, rng = self._before
            arenas = _arenas(trainer)
            for kind, flat in packed.items():
                arenas[kind].unpack(flat, trainer.arenas, kind)
            trainer.rng.bit_generator.state = rng

    def apply_representations(self, trainer: Trainer) -> None:
        """Gives the representations of parameters, masks for example, the arrays of the checkpoint.

        This comes after the callbacks have begun, as one of them may be what prunes the network.

        Raises      ModelFileError when the parameters are held in other ways than in the checkpoint
        """
        saved, mine = self.representations, _representations(trainer)
        for name in sorted(saved.keys() | mine.keys()):
            if saved.get(name) != mine.get(name):
                raise ModelFileError(
                    f"{self.path}: the checkpoint holds {name!r} as {saved.get(name, 'it is')}, this network holds it as "
                    f"{mine.get(name, 'it is')}. Represent or prune the network as before, then resume."
                )
        held = trainer.network.held_arrays()
        with self._damaged():
            for name, array in held.items():
                if self.tensors[f"held.{name}"].shape != array.shape:
                    raise ValueError(f"{name} has the shape {self.tensors[f'held.{name}'].shape}, not {array.shape}")
        for name, array in held.items():
            np.copyto(array, self.tensors[f"held.{name}"])
        for variable in trainer.network.parameters.variables.values():
            variable.changed()

    def apply_to_callbacks(self, callbacks: list[Callback]) -> None:
        """Gives each callback the state that the one of its class had, in order."""
        waiting = list(callbacks)
        for i, (name, plain) in enumerate(self.callbacks):
            callback = next((one for one in waiting if type(one).__name__ == name), None)
            if callback is None:
                continue
            start = f"callback.{i}."
            arrays = {n.removeprefix(start): a for n, a in self.tensors.items() if n.startswith(start)}
            if plain or arrays:
                with self._damaged():
                    callback.restore({**plain, **arrays})
            waiting.remove(callback)


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


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"a number of at least 0 is {value!r:.60}")
    return value


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
