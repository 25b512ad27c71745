"""``chainrule demo``: the whole of chainrule in one minute, on data that needs no download."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["demo"]

_HIDDEN, _DROPOUT, _EPOCHS, _BATCH, _SEED = (256, 128), 0.3, 60, 32, 0
#: Of the comparison: epochs of each fit, seconds it may take, and the fewest and most fits of each library.
_COMPARED_EPOCHS, _COMPARED_SECONDS, _FEWEST_FITS, _MOST_FITS = 20, 4.0, 3, 7
Array = Any


def demo(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Folder for the model and the picture; made if it is not there."),
    ] = Path(),
) -> None:
    """Train a network on handwritten digits; print its accuracy, its equations, and its speed beside scikit-learn's.

    Writes digits.chainrule and digits-learning-curves.png.
    """
    import time

    import numpy as np

    from ..data import load_digits, split_validation
    from ..engine import choose
    from ..errors import ParameterError
    from ..layers import Dense, Dropout, ReLU
    from ..model import Network
    from ..report import check_picture_path, learning_curves
    from .console import facts, fitted, heading, out, plain
    from .progress import ProgressTable, duration

    started = time.perf_counter()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParameterError(f"--output: the folder {str(output)!r} cannot be made: {error.strerror or error}.") from error
    model_file, picture = output / "digits.chainrule", output / "digits-learning-curves.png"
    check_picture_path(picture)
    X, y = load_digits()
    train, test = split_validation(len(y), 0.25, np.random.default_rng(_SEED), y)

    engine, _ = choose()  # before anything is said: on a new machine it compiles kernels, and says so
    heading("Handwritten digits: 8 × 8 pixels, 10 classes")
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


#: Trains on (X, y, epochs, seed, threads; None is the library's own choice) and returns what predicts labels.
_Fit = Callable[[Array, Array, int, int, int | None], Callable[[Array], Array]]


@dataclass
class _Contender:
    """One library: how it fits, with how many threads, and the seconds and test accuracy of each of its fits."""

    name: str
    fit: _Fit
    threads: int | None = None
    seconds: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)

    def choose_threads(self, X: Array, y: Array) -> None:
        """Takes one thread where that is faster: what each library does best is compared. The first fits warm up."""
        import time

        taken = {}
        for threads in (None, 1):
            self.fit(X, y, 1, 0, threads)
            begun = time.perf_counter()
            self.fit(X, y, 4, 0, threads)
            taken[threads] = time.perf_counter() - begun
        self.threads = min(taken, key=lambda threads: taken[threads])


def _compare(X: Array, y: Array, X_test: Array, y_test: Array) -> None:
    """The same work with both libraries, in turn, until the time is over."""
    import statistics
    import time

    from .console import out, size, table, waiting

    own, other = both = (_Contender("chainrule", _fit_chainrule), _Contender("scikit-learn", _sklearn_fit()))
    until = time.perf_counter() + _COMPARED_SECONDS
    with waiting("Fitting both, a few times each ..."):
        for one in both:
            one.choose_threads(X, y)
        for seed in range(_MOST_FITS):
            for one in both:
                begun = time.perf_counter()
                predict = one.fit(X, y, _COMPARED_EPOCHS, seed, one.threads)
                one.seconds.append(time.perf_counter() - begun)
                one.accuracies.append(float((predict(X_test) == y_test).mean()))
            if time.perf_counter() > until and seed + 1 >= _FEWEST_FITS:
                break
    rows = []
    for one in both:
        middle, best = statistics.median(one.seconds), min(one.seconds)
        per_epoch = (f"{1000 * seconds / _COMPARED_EPOCHS:.2f}" for seconds in (middle, best))
        threads = "1" if one.threads == 1 else "all"
        rate = size(len(X) * _COMPARED_EPOCHS / middle)
        rows.append((one.name, threads, *per_epoch, rate, f"{statistics.mean(one.accuracies):.3f}"))
    table(("library", "threads", "ms/epoch", "best", "samples/s", "accuracy"), rows)
    ratio = statistics.median(other.seconds) / statistics.median(own.seconds)
    best = min(other.seconds) / min(own.seconds)
    out().print(f"chainrule is {ratio:.1f} times as fast by the medians, {best:.1f} times by the best fits.", style="bold")
    out().print(
        f"Same work: 64-{'-'.join(map(str, _HIDDEN))}-10 with ReLU, float32, Adam at rate 0.001, "
        f"{_COMPARED_EPOCHS} epochs of batches of {_BATCH}, no dropout, no penalty, no validation. "
        f"Whole fits of {len(own.seconds)} seeds in turn, both warm, each with the threads it is faster with.",
        style="bright_black",
    )


def _fit_chainrule(X: Array, y: Array, epochs: int, seed: int, threads: int | None) -> Callable[[Array], Array]:
    import numpy as np

    from ..layers import Dense, ReLU
    from ..model import Network

    layers = [*(layer for units in _HIDDEN for layer in (Dense(units), ReLU())), Dense(10)]
    network = Network(layers, random_state=seed)
    network.fit(X, y, epochs=epochs, batch_size=_BATCH, verbose=0, threads=threads)
    return lambda new: np.asarray(network.predict(new)).argmax(axis=1)


def _sklearn_fit() -> _Fit:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    def fit(X: Array, y: Array, epochs: int, seed: int, threads: int | None) -> Callable[[Array], Array]:
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
        with warnings.catch_warnings(), threadpool_limits(threads):
            # It warns that it may not have converged: the number of epochs is what was asked for.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, y)
        predict: Callable[[Array], Array] = model.predict
        return predict

    return fit
