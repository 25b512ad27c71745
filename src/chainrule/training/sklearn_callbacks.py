"""scikit-learn's callback protocol (1.9 and newer) for estimators that train by epochs.

An estimator derives from ``CallbackSupport``, decorates fit with ``with_callbacks`` and gives the fit of its network the
callback ``SklearnCallbacks(self, ...)``; then ``estimator.set_callbacks(ProgressBar())`` works as for scikit-learn's own.
Where the installed scikit-learn has no callbacks, ``CallbackSupport`` is an empty class and ``with_callbacks`` does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .callbacks import Callback, Logs

if TYPE_CHECKING:
    from .state import FitState


class _NoCallbackSupport:
    """Stands for scikit-learn's mixin where there is none."""


def _unchanged(method: Callable[..., Any]) -> Callable[..., Any]:
    return method


#: Whether the installed scikit-learn has the protocol.
AVAILABLE = find_spec("sklearn") is not None and find_spec("sklearn.callback") is not None
if AVAILABLE:
    _protocol = import_module("sklearn.callback")
    CallbackSupport: Any = _protocol.CallbackSupportMixin
    with_callbacks: Any = _protocol.with_callbacks
else:
    CallbackSupport, with_callbacks = _NoCallbackSupport, _unchanged


class SklearnCallbacks(Callback):
    """Calls the callbacks that were set on an estimator: the fit is a task, every epoch a subtask of it.

    A callback that returns True at the end of an epoch ends the fit after it.

    Parameters
        estimator : the one that is fitted, with ``CallbackSupport`` and ``with_callbacks``
        X, y : training data as the user gave them ; metadata : such as {"sample_weight": ...}
        reconstruct : returns the fitted attributes (by name) that make a copy of the estimator ready to predict
    """

    changes_weights = False

    def __init__(
        self,
        estimator: Any,
        X: Any = None,
        y: Any = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        reconstruct: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        self.estimator = estimator
        self._data = {"X": X, "y": y, "metadata": None if metadata is None else dict(metadata)}
        self._reconstruct = reconstruct
        self._fit: Any = None
        self._epoch: Any = None

    def _has_callbacks(self) -> bool:
        # A parent (a search, a pipeline) needs the task tree even when this estimator has no callback of its own.
        own = getattr(self.estimator, "_skl_callbacks", None)
        return AVAILABLE and (bool(own) or hasattr(self.estimator, "_parent_callback_ctx"))

    def on_fit_begin(self, state: FitState) -> None:
        self._fit = self._epoch = None
        if self._has_callbacks():
            tasks = max(0, state.epochs - state.epoch)
            self._fit = self.estimator._init_callback_context(max_subtasks=tasks)
            self._fit.call_on_fit_task_begin(estimator=self.estimator, **self._data)

    def on_epoch_begin(self, state: FitState, epoch: int) -> None:
        if self._fit is not None:
            self._epoch = self._fit.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(estimator=self.estimator, **self._data)

    def on_epoch_end(self, state: FitState, epoch: int, logs: Logs) -> None:
        if self._epoch is not None:
            context, self._epoch = self._epoch, None
            if context.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes=self._reconstruct, **self._data
            ):
                state.stop = True

    def on_fit_end(self, state: FitState) -> None:
        if self._fit is not None:
            self._fit.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes=self._reconstruct, **self._data
            )
            self._fit = None
