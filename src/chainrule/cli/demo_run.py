"""What ``chainrule demo`` does."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import load_digits, split_validation
from ..engine import choose
from ..errors import ParameterError
from ..layers import Dense, Dropout, ReLU
from ..model import Network
from ..report import check_picture_path, learning_curves
from .console import facts, fitted, heading, out, plain, size, table
from .progress import ProgressTable, duration

__all__ = ["run"]

Array = NDArray[Any]
_HIDDEN, _DROPOUT, _EPOCHS, _BATCH, _SEED = (256, 128), 0.3, 60, 32, 0
#: Of the comparison: epochs of each fit, seconds it may take in all, and the most fits of each library.
_COMPARED_EPOCHS, _COMPARED_SECONDS, _MOST_FITS = 20, 6.0, 5


def run(folder: Path) -> None:
    """Trains, shows and compares."""
    started = time.perf_counter()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParameterError(f"--output: the folder {str(folder)!r} cannot be made: {error.strerror or error}.") from error
    model_file, picture = folder / "digits.chainrule", folder / "digits-learning-curves.png"
    check_picture_path(picture)
    X, y = load_digits()
    train, test = split_validation(len(y), 0.25, np.random.default_rng(_SEED), y)

    heading("Handwritten digits: 8 × 8 pixels, 10 classes")
    engine, _ = choose()
    network = Network(
        [*(layer for units in _HIDDEN for layer in (Dense(units), ReLU(), Dropout(_DROPOUT))), Dense(10)], random_state=_SEED
    )
    facts(
        [
            (
                "Data",
                f"{len(train):,} images to learn from (a tenth of them to validate on), {len(test):,} kept apart as a test",
            ),
            ("Network", " → ".join(["64", *(repr(layer).removesuffix("()") for layer in network.layers.values())])),
            ("Training", f"Adam, softmax cross-entropy, {_EPOCHS} epochs of batches of {_BATCH}"),
            ("Engine", f"{engine.name}, {engine.threads} thread(s)"),
        ]
    )
    out().print()
    network.fit(
        X[train], y[train], epochs=_EPOCHS, batch_size=_BATCH, validation_split=0.1, verbose=0, callbacks=[ProgressTable()]
    )
    if network.history_.interrupted:
        raise KeyboardInterrupt
    scores = network.evaluate(X[test], y[test])
    right = round(scores["accuracy"] * len(test))
    out().print(
        f"\nTest accuracy {scores['accuracy']:.4f}: {right} of {len(test)} images that it has never seen", style="bold green"
    )

    heading("The equations of this network")
    fitted(str(network.equations()))

    heading("Speed beside scikit-learn's MLPClassifier")
    _compare(X[train], y[train], X[test], y[test])

    network.save(model_file)
    seconds = sum(network.history_["seconds"])
    learning_curves(
        network.history_,
        picture,
        title=f"Digits: {network.parameters.count:,} parameters, {_EPOCHS} epochs in {duration(seconds)}",
        units={"loss": "cross-entropy, nats per image", "accuracy": "share of images"},
    )
    out().print(f"\nSaved {model_file} and {picture}", style="bold green", soft_wrap=True)
    plain(f"Next:  chainrule show {model_file}\n       chainrule train YOUR.csv --target COLUMN")
    plain(f"All of this took {duration(time.perf_counter() - started)}.")


@dataclass
class _Fits:
    """Seconds of each fit of one library, and its accuracies."""

    name: str
    seconds: list[float]
    accuracies: list[float]


def _compare(X: Array, y: Array, X_test: Array, y_test: Array) -> None:
    """The same work with both libraries, in turn, until the time is over."""
    chainrule, sklearn = _Fits("chainrule", [], []), _Fits("scikit-learn", [], [])
    fit_sklearn = _sklearn_fit()
    both: list[tuple[_Fits, Callable[..., Callable[[Array], Array]]]] = [(chainrule, _chainrule_fit), (sklearn, fit_sklearn)]
    for _, fit in both:
        fit(X, y, 2, 0)  # not timed: everything is loaded and compiled before the race
    until = time.perf_counter() + _COMPARED_SECONDS
    for seed in range(_MOST_FITS):
        for fits, fit in both:
            begun = time.perf_counter()
            predict = fit(X, y, _COMPARED_EPOCHS, seed)
            fits.seconds.append(time.perf_counter() - begun)
            fits.accuracies.append(float((predict(X_test) == y_test).mean()))
        if time.perf_counter() + sum(fits.seconds[-1] for fits, _ in both) > until:
            break
    samples = len(X) * _COMPARED_EPOCHS
    rows = []
    for fits, _ in both:
        middle = statistics.median(fits.seconds)
        per_epoch = [1000 * s / _COMPARED_EPOCHS for s in (middle, min(fits.seconds))]
        rows.append(
            (
                fits.name,
                *(f"{ms:.2f}" for ms in per_epoch),
                size(samples / middle),
                f"{statistics.mean(fits.accuracies):.4f}",
            )
        )
    table(("library", "ms/epoch", "best", "samples/s", "test acc."), rows)
    ratio = statistics.median(sklearn.seconds) / statistics.median(chainrule.seconds)
    best = min(sklearn.seconds) / min(chainrule.seconds)
    verdict = f"{ratio:.1f} times as fast" if ratio >= 1 else f"{1 / ratio:.1f} times as slow"
    out().print(f"chainrule is {verdict} by the medians (by the best fits {best:.1f} times).", style="bold")
    out().print(
        f"Same work: 64-{'-'.join(map(str, _HIDDEN))}-10 with ReLU, float32, Adam at rate 0.001, "
        f"{_COMPARED_EPOCHS} epochs of batches of {_BATCH}, no dropout, no penalty, no validation. "
        f"Whole fits of {len(chainrule.seconds)} seeds in turn, after a fit that is not counted; "
        f"each library with its own choice of threads.",
        style="bright_black",
    )


def _chainrule_fit(X: Array, y: Array, epochs: int, seed: int) -> Callable[[Array], Array]:
    layers = [Dense(_HIDDEN[0]), ReLU(), Dense(_HIDDEN[1]), ReLU(), Dense(10)]
    network = Network(layers, random_state=seed).fit(X, y, epochs=epochs, batch_size=_BATCH, verbose=0)
    return lambda new: np.asarray(network.predict(new)).argmax(axis=1)


def _sklearn_fit() -> Callable[..., Callable[[Array], Array]]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    def fit(X: Array, y: Array, epochs: int, seed: int) -> Callable[[Array], Array]:
        model = MLPClassifier(
            _HIDDEN,
            solver="adam",
            alpha=0.0,
            batch_size=_BATCH,
            learning_rate_init=0.001,
            max_iter=epochs,
            tol=0.0,
            n_iter_no_change=epochs + 1,
            random_state=seed,
        )
        with warnings.catch_warnings():
            # It warns that it may not have converged: the number of epochs is what was asked for.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, y)
        predict: Callable[[Array], Array] = model.predict
        return predict

    return fit
