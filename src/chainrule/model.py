"""``Network``, the class users see: a graph of layers that can be trained, asked, shown and saved."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from .constraints import Interval, Maybe
from .errors import ParameterError
from .optimizers import Optimizer
from .plan import Plan
from .training.intake import choose_losses, target_arrays
from .training.prediction import predict_repeated
from .training.session import Session
from .training.settings import FitOptions, FitSettings, PassOptions, takes_settings
from .training.trainable import Trainable

if TYPE_CHECKING:
    from .plan.equations import Equations
    from .training.trace import Trace

__all__ = ["Network", "load"]

Path = str | os.PathLike[str]
_BATCH_SIZE = Maybe(Interval(int, 1))


class Network(Trainable):
    """A neural network: layers one after the other, or a graph of them.

    Parameters
        layers : a list of layers and networks applied one after the other; or None
        inputs, outputs : the functional form instead: Tensors made by Input and by calling layers
        random_state : int, numpy Generator or None; draws the start weights, the order of samples, Dropout
        dtype : "float32" or "float64"; float64 runs on the reference engine
    Attributes  (after fit)
        history_ : History of the fit ; loss_ : the Loss, a list of them for several outputs ; optimizer_ : the Optimizer ;
        metrics_ : list of Metrics ; loss_weights_ : list or None
    Shapes      those of one sample are fixed by the first fit, by ``build``, or by Input as the first item

    Equal seeds give equal results to the bit, for one machine, engine and number of threads.

    Example
        >>> import numpy as np
        >>> from chainrule.layers import Dense, Tanh
        >>> X = np.linspace(-1, 1, 64, dtype=np.float32).reshape(-1, 1)
        >>> net = Network([Dense(16), Tanh(), Dense(1)], random_state=0)
        >>> net = net.fit(X, X**2, learning_rate=0.02, epochs=100, engine="reference", verbose=0)
        >>> net.history_["loss"][-1] < 0.01, net.predict(X).shape
        (True, (64, 1))
    """

    # ------------------------------------------------------------ training

    @takes_settings(FitOptions)
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        diagnose: bool | int = False,
        on_fault: str = "warn",
        **settings: Unpack[FitOptions],
    ) -> Network:
        """Trains the network; fitting again goes on from the weights it has, with a new optimizer state.

        Parameters
            X : the samples (N, ...) as an array, memory map or DataFrame; or Sequences of different lengths, for an
                Input((None, ...)), of which every batch holds samples of about one length; or a list with one of these for
                each input; or, without y, a data set such as ImageData, or an iterable (or a function that returns an
                iterator) of batches ``(x, y)`` or ``(x, y, sample_weight)``
            y : the targets (N,) or (N, ...), or Sequences with one target for each step; a list with one of these for each
                output
            {settings}
            diagnose = False : True watches the fit and says at its end, in ``diagnosis_``, what is wrong with it, if
                anything is. A number takes statistics every so many steps; True takes them so rarely that they cost less
                than 3 % of the time, the first eight excepted. The numbers of the fit do not change
            on_fault = 'warn' : what a watched fit does about a fault. "warn" gives a DiagnosisWarning; "stop" also ends a
                fit that cannot succeed; "cure" changes the network as ``cure`` does, and trains it
        Raises
            ShapeError, DtypeError, DataError : X or y does not fit ; ParameterError : another argument is out of its range
            DivergenceError : a number stopped being finite; the weights before that step are kept

        A network of a graph (with GraphConv) takes all nodes as one batch, so batch_size and shuffle have no effect. Nodes
        may have the label -1, which stands for no label: J and the metrics are means over the other nodes.

        Ctrl-C ends the fit after the current step and keeps what was learned: fit returns as usual, with
        ``history_.interrupted`` True. A second Ctrl-C raises KeyboardInterrupt.

        The loss of an epoch in ``history_`` is the mean over its samples of what was minimised, penalties included.
        """
        chosen = FitSettings.of(settings)
        if diagnose is not False:
            from .trials import watched_fit

            every = None if diagnose is True else diagnose
            watched_fit(self, X, y, on_fault=on_fault, every=every, **chosen.arguments())
            return self
        if on_fault != "warn":
            raise ParameterError(f"fit: on_fault={on_fault!r} needs a fit that is watched: give diagnose=True, too.")
        Session(self).fit(X, y, chosen)
        return self

    @takes_settings(PassOptions)
    def partial_fit(self, X: Any, y: Any = None, **settings: Unpack[PassOptions]) -> Network:
        """Makes one pass over the data, from the weights, the optimizer state and the step count of the last call.

        The first call, and one that names another loss or optimizer than before, starts with a new optimizer state ("adam"
        by default). A learning_rate given later changes the rate and keeps the state. ``history_`` gets one more epoch. The
        engine, the number of threads and the precision stay as they were where they are not given. Copies and pickles of a
        network start with a new optimizer state.

        Parameters
            X, y : as in ``fit``
            {settings}
        Raises      as ``fit``
        """
        # None leaves an argument as it was.
        given = {name: value for name, value in settings.items() if value is not None}
        Session(self).partial_fit(X, y, FitSettings.of(given))
        return self

    # ------------------------------------------------------------ using

    def predict(self, X: Any, *, batch_size: int | None = None) -> Any:
        """The raw outputs for any number of samples, as (N, ...); a tuple of arrays for several outputs. Outputs for each
        step of Sequences are Sequences again.

        Raw means before the loss's link: logits for cross-entropies. ``net.loss_.prediction(z)`` makes them probabilities.

        Parameters  X : as in fit ; batch_size : samples computed at a time, None chooses the number
        Raises      NotFittedError before the shapes are known ; ShapeError, DtypeError, DataError when X does not fit
        """
        repeated = predict_repeated(self, self._runtime, X, batch_size)
        if repeated is not None:
            return repeated
        self.require_built("predict")
        return _one_or_all(Session(self).predict(X, _BATCH_SIZE.check("", "batch_size", batch_size)))

    def evaluate(
        self,
        X: Any,
        y: Any = None,
        *,
        loss: Any = None,
        metrics: Any = None,
        batch_size: int | None = None,
        sample_weight: Any = None,
    ) -> dict[str, float]:
        """{"loss": mean over the samples, metric name: its value}, with Dropout and the like as in prediction.

        Parameters
            X, y : as in fit ; loss, metrics : those of the last fit by default ; batch_size : samples computed at a time
            sample_weight : (N,) ; the metrics are means with these weights, the loss is weighted as in fit (not normalised)
        Raises      NotFittedError before the shapes are known ; ShapeError, DtypeError, DataError when X or y does not fit
        """
        self.require_built("evaluate")
        batch_size = _BATCH_SIZE.check("", "batch_size", batch_size)
        return Session(self).evaluate(
            X, y, loss=loss, metrics=metrics, batch_size=batch_size, sample_weight=sample_weight
        )  # fmt: skip

    def input_gradient(self, X: Any, y: Any, *, loss: Any = None, batch_size: int | None = None) -> Any:
        """dJ/dX of the mean loss J over all given samples, as (N, ...); a tuple of arrays for several inputs.

        Layers act as in prediction. Nothing is learned. The gradient of the loss of sample n alone is N times its row.

        Parameters  X, y : as in fit ; loss : that of the last fit by default ; batch_size : samples computed at a time
        Raises      as ``evaluate`` ; ParameterError when an input has no gradient (indices, a sparse matrix)
        """
        self.require_built("input_gradient")
        batch_size = _BATCH_SIZE.check("", "batch_size", batch_size)
        return _one_or_all(Session(self).input_gradient(X, y, loss=loss, batch_size=batch_size))

    # ------------------------------------------------------------ seeing

    def plan(
        self,
        batch: int = 32,
        *,
        training: bool = True,
        loss: Any = None,
        optimizer: str | Optimizer | None = None,
        length: int | None = None,
    ) -> Plan:
        """The optimised plan of one step: ``print(net.plan().show())``.

        It also says which kernels the engine chooses for convolutions, and where and why it reorders their weights.

        Parameters
            batch : samples ; training : False for the plan of a prediction
            loss, optimizer : those of the last fit; before any fit, squared_error and adam. A loss by name is read as in fit
            length : the number of steps where the inputs leave it free; None takes a short one, which a note names
        """
        from .training.summary import plan_of

        return plan_of(self, batch, training=training, loss=loss, optimizer=optimizer, length=length)

    def summary(self) -> str:
        """A table of the layers as text: name, layer, shape of its output for one sample, parameters, FLOPs a sample.

        T stands for a free length; the FLOPs are then those of a sample of the length that the last line names.
        """
        from .training.summary import summary

        return summary(self)

    def equations(self, *, loss: Any = None, optimizer: str | Optimizer | None = None) -> Equations:
        """The chain rule of this very network: forward, loss, backward and update, with shapes.

        ``print`` shows it as text, a notebook as mathematics, ``.latex()`` gives the source; see chainrule.plan.equations.

        Parameters  loss, optimizer : those of the last fit by default; before any fit only the forward pass is shown;
                    a loss by name is read as in fit
        Raises      NotFittedError before the shapes are known
        """
        from .plan.equations import Equations

        self.require_built("equations")
        config = self.fit_config_
        return Equations(
            self,
            config.get("loss") if loss is None else choose_losses(loss, None, self),
            config.get("optimizer") if optimizer is None else optimizer,
            targets=config.get("forms") if loss is None else None,
            loss_weights=config.get("loss_weights"),
        )

    def trace(self, X: Any, y: Any = None, *, loss: Any = None, **options: Any) -> Trace:
        """Every z, a, dz, da, dW and db for these samples, by name. See chainrule.training.trace.

        Without a loss, that of the last fit is taken; before any fit it is chosen as in fit. A loss by name is read as in
        fit.
        """
        from .training.trace import trace

        if y is not None and loss is None:
            loss = getattr(self, "loss_", None)
        if y is not None and self.built:
            loss = choose_losses(loss, target_arrays(y, len(self.output_ids)), self)
        return trace(self, X, y, loss=loss, **options)

    def diagnose(
        self,
        X: Any,
        y: Any = None,
        *,
        loss: Any = None,
        optimizer: str | Optimizer | None = None,
        learning_rate: Any = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        rules: Sequence[Any] = (),
        every: int | None = None,
        steps: int | None = None,
        seconds: float | None = None,
        **options: Any,
    ) -> Any:
        """What keeps this network from learning these samples, if anything: a chainrule.diagnosis.Diagnosis.

        A copy of the network is trained as ``fit`` would with the same arguments, for at most ``steps`` steps, and watched.
        The network itself, its random numbers and its running statistics stay as they are. After a fit its history and its
        weights are judged, and the copy shows how the gradient passes; before any, the copy's training is judged.

        Parameters
            X, y, loss, optimizer, learning_rate, epochs, batch_size : as in ``fit``; None takes those of the last fit, then
                fit's own defaults ; options : more of its arguments, such as validation_data
            rules : more rules to ask (instances of chainrule.diagnosis.Rule)
            every : take statistics every so many steps ; steps : of the copy's training, 3,000 at most by default ;
                seconds : after which that training ends with its epoch, 20 by default
        Data that fit would refuse (NaN, wrong shapes) is a finding here, not an error. Of a stream of batches up to 2,000
        samples that the copy is trained on are judged; an iterator, which can be read once, is read: give a function that
        returns a new one. Of a graph the labelled nodes are judged, of several outputs each one.

        Example
            >>> import numpy as np
            >>> from chainrule.layers import Dense, ReLU
            >>> X = np.random.default_rng(0).normal(size=(200, 5))
            >>> net = Network([Dense(16), ReLU(), Dense(1)], random_state=0)
            >>> net.diagnose(X, X[:, :1], learning_rate=1e-9, engine="reference", epochs=3).cause.name
            'learning-rate-too-small'
        """
        from .trials import diagnose

        return diagnose(
            self, X, y, loss=loss, optimizer=optimizer, learning_rate=learning_rate, epochs=epochs, batch_size=batch_size,
            rules=rules, every=every, steps=steps, seconds=seconds, **options,
        )  # fmt: skip

    def report(
        self, X: Any, y: Any = None, *, diagnosis: Any = None, cure: Any = None, title: str = "", **arguments: Any
    ) -> Any:
        """The diagnosis of this network as a page: ``net.report(X, y).save("report.html")``; a notebook shows it.

        Parameters
            X, y : as in ``diagnose`` ; diagnosis : made before; by default that of the last watched fit, or a new one
            cure : a Cure, whose evidence is shown, too ; title : of the page ; arguments : of ``diagnose``
        Returns     a chainrule.report.DiagnosisReport ; the network is not changed
        """
        from .report import DiagnosisReport
        from .training.summary import built_for

        if diagnosis is None and cure is not None:
            diagnosis = cure.diagnosis
        if diagnosis is None:
            diagnosis = getattr(self, "diagnosis_", None) or self.diagnose(X, y, **arguments)
        shown = built_for(self, X)
        return DiagnosisReport(diagnosis, cure=cure, network=shown, X=X, title=title or "Diagnosis of a network")

    # ------------------------------------------------------------ curing

    def cure(
        self,
        X: Any,
        y: Any = None,
        *,
        time_budget: float = 60.0,
        seeds: int = 3,
        validation_data: tuple[Any, Any] | None = None,
        validation_split: float = 0.25,
        metric: Any = None,
        diagnosis: Any = None,
        changes: Iterable[Any] | None = None,
        start: str = "auto",
        in_place: bool = False,
        refit: bool = True,
        verbose: int = 1,
        engine: str = "auto",
        precision: str = "float32",
        **fit: Any,
    ) -> Any:
        """Finds out which changes make the network learn, proves it, and returns the changed network with the evidence.

        The changes that the diagnosis calls for are tried alone and together in paired runs: the same samples, the same
        orders and the same seeds as the network as it is. One is kept only when the held-out score rises, in the mean, by
        more than the spread between seeds. ``print(cure)`` shows what was changed, as a patch of the Python that
        defines and trains the network, and what was tried and rejected; ``cure.network`` is the new network, trained.

        Parameters
            X, y : all data, as in fit ; of batches up to 5,000 samples are kept for the trials, of a graph nodes held out
            time_budget : seconds for all of it: at most a quarter for the diagnosis, trials that are as long as fits (see
                ``runs_of`` of the Cure), and the final training, unless that takes more than a third and comes on top
            seeds : int >= 2, runs of each setup (two may do where time is short)
            validation_data, validation_split : held out for the scores
            metric : a Metric or its name, of the first output. None: accuracy for classes (the mean over the classes when
                they are unequal), R² for numbers, the mean of these for several outputs
            diagnosis : made by ``diagnose`` before, None makes one ; changes : Changes to try in place of a diagnosis's
            start : "fresh" draws new start weights for every seed (not those of frozen layers), "own" begins with the
                weights that the network has; "auto" is "own" for a network never fitted whose weights were set by hand
            in_place : whether this network becomes the cured one ; refit : whether the changed network is at last trained on
                all the data, for all its epochs ; verbose : 1 says on a terminal what is being done
            engine, precision, fit : arguments of ``fit`` as they were; by default what the last fit used
        Returns     a Cure ; its network is this one, unchanged, when nothing wins
        Raises      ParameterError, ShapeError, DataError for bad arguments or data

        Example
            >>> from chainrule.layers import Dense, Tanh
            >>> X = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
            >>> y = (X[:, 0] * X[:, 1] > 0).astype(int)
            >>> from chainrule.diagnosis import Change
            >>> net = Network([Dense(16), Tanh(), Dense(2)], random_state=0)
            >>> faster = Change("learning_rate", {"value": 0.03})
            >>> found = net.cure(X, y, learning_rate=1e-5, epochs=20, changes=[faster])
            >>> found.changes == (faster,), found.best.score > 0.9
            (True, True)
        """
        from .cures import cure

        return cure(
            self,
            X,
            y,
            time_budget=time_budget,
            seeds=seeds,
            validation_data=validation_data,
            validation_split=validation_split,
            metric=metric,
            diagnosis=diagnosis,
            changes=changes,
            start=start,
            in_place=in_place,
            refit=refit,
            verbose=verbose,
            engine=engine,
            precision=precision,
            **fit,
        )

    # ------------------------------------------------------------ keeping

    def save(self, path: Path, *, extra: dict[str, Any] | None = None) -> None:
        """Writes the layers, the parameters and what the last fit used to one file (safetensors), atomically.

        Parameters  path : of the file ; extra : more plain data, which chainrule.network.files.load gives back
        """
        from .network.files import save

        save(self, path, {**(extra or {}), "fit": self.plain_fit_config()})


def load(path: Path) -> Network:
    """The network that ``Network.save`` wrote, with the loss and the optimizer of its last fit.

    Raises      ModelFileError when the file is missing, damaged, foreign or of a newer version
    """
    from .network.files import load as load_file

    network, extra = load_file(path, Network)
    network.take_up(extra.get("fit") or {})
    return network


def _one_or_all(found: list[Any]) -> Any:
    return found[0] if len(found) == 1 else tuple(found)
