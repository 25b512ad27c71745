"""scikit-learn's MLPClassifier: steps are those of ``partial_fit`` over all batches in memory."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..workloads import BATCHES, FitTask, Workload, batches, data, parameters
from .base import Floats, Ints, Peer, Predict, Training


class Measured(Peer):
    distributions = ("scikit-learn",)
    import_statement = "from sklearn.neural_network import MLPClassifier"
    note = "MLPClassifier: partial_fit over all batches; predict_proba (with a softmax that the others do not compute)"
    probabilities = True

    def __init__(self, threads: int, variant: str = "") -> None:
        super().__init__(threads, variant)  # BLAS reads OMP_NUM_THREADS and the like
        from sklearn.neural_network import MLPClassifier

        warnings.simplefilter("ignore")  # it warns of too few epochs
        self.MLPClassifier = MLPClassifier

    def _started(self, workload: Workload) -> Any:
        model = self.MLPClassifier(
            workload.sizes[1:-1],
            activation="relu" if workload.activation == "relu" else "logistic",
            solver=workload.optimizer,
            learning_rate_init=workload.learning_rate or 1e-3,
            momentum=0.0,
            alpha=0.0,
            batch_size=workload.batch,
            shuffle=False,
        )
        # One step makes the model's attributes; then it starts again from the common weights.
        x, y = batches(workload)[0]
        model.partial_fit(x, y, classes=np.arange(workload.sizes[-1]))
        model.coefs_ = [weight for weight, _ in parameters(workload)]
        model.intercepts_ = [bias for _, bias in parameters(workload)]
        del model._optimizer
        return model

    def training(self, workload: Workload) -> Training:
        return _Steps(self._started(workload), workload)

    def predictor(self, workload: Workload) -> Predict:
        predict: Predict = self._started(workload).predict_proba
        return predict

    def fit(self, task: FitTask, x: Floats, y: Ints) -> Predict:
        model = self.MLPClassifier(
            (task.hidden,),
            batch_size=task.batch,
            max_iter=task.epochs,
            learning_rate_init=task.learning_rate,
            alpha=0.0,
            tol=0.0,
            n_iter_no_change=task.epochs,
        ).fit(x, y)
        predict: Predict = model.predict
        return predict


class _Steps(Training):
    def __init__(self, model: Any, workload: Workload) -> None:
        self.model, self.batches, self.data, self.batch = model, batches(workload), data(workload), workload.batch

    def losses(self, n: int) -> list[float]:
        return [float(self.model.partial_fit(x, y).loss_) for x, y in self.batches[:n]]

    def run(self, n: int) -> None:
        # Several batches in one call, as in an epoch of fit: arguments are checked once for all of them.
        x, y = self.data
        for _ in range(n // BATCHES):
            self.model.partial_fit(x, y)
        if n % BATCHES:
            rows = slice(0, n % BATCHES * self.batch)
            self.model.partial_fit(x[rows], y[rows])
