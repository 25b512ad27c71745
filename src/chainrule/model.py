"""``Network``, the class users see: a graph of layers that can be trained, asked, shown and saved."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from .errors import ParameterError
from .training.inspection import Inspectable
from .training.intake import warn_of_lost_resolution
from .training.predictor import Predictor
from .training.session import Session
from .training.settings import FitSettings
from .training.signature import FitOptions, PassOptions, takes_settings
from .training.unknown_attribute import unknown_attribute

if TYPE_CHECKING:
    from .cures import Cure
    from .diagnosis import Change, Diagnosis, Rule
    from .exchange.onnx_preprocessing import Preprocessing
    from .exchange.weights import Match
    from .metrics import Metric
    from .report import DiagnosisReport
    from .sparsity import SparsityTable

__all__ = ["Network", "load"]

Path = str | os.PathLike[str]


class Network(Predictor, Inspectable):
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

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            return unknown_attribute(self, name)

    @takes_settings()
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
        ``history_.interrupted`` True. A second Ctrl-C raises KeyboardInterrupt. SIGTERM ends the fit in the same way, and
        then the process: fit raises ``chainrule.errors.Terminated``, a SystemExit with the code 143, which a program may
        catch to save the network. A second SIGTERM ends the process at once.

        The loss of an epoch in ``history_`` is the mean over its samples of what was minimised, penalties included.
        """
        session, chosen = Session(self), FitSettings.of(settings)
        if diagnose is not False:
            from .cures import watch_or_cure

            every = None if diagnose is True else diagnose
            watch_or_cure(session, X, y, chosen, on_fault=on_fault, every=every)
            return self
        if on_fault != "warn":
            raise ParameterError(f"fit: on_fault={on_fault!r} needs a fit that is watched: give diagnose=True, too.")
        warn_of_lost_resolution(self, X, y)
        session.fit(X, y, chosen)
        return self

    @takes_settings(PassOptions)
    def partial_fit(self, X: Any, y: Any = None, **settings: Unpack[PassOptions]) -> Network:
        """Makes one pass over the data, from the weights, the optimizer state and the step count of the last call.

        The first call, and one that names another loss or optimizer than before, starts with a new optimizer state ("adam"
        by default). A learning_rate given later changes the rate and keeps the state. ``history_`` gets one more epoch. The
        engine, the number of threads and the precision stay as they were where they are not given. Copies and pickles of a
        network have the optimizer state, too; files (``save``) do not, and a Checkpoint does.

        Parameters
            X, y : as in ``fit``
            {settings}
        Raises      as ``fit``
        """
        # None leaves an argument as it was.
        given = {name: value for name, value in settings.items() if value is not None}
        Session(self).partial_fit(X, y, FitSettings.of(given))
        return self

    # ------------------------------------------------------------ seeing

    def sparsity(self) -> SparsityTable:
        """The zeros of each matrix and kernel, and how it is held: ``print(net.sparsity())``; see chainrule.sparsity.

        Raises      NotFittedError before the shapes are known
        """
        from .sparsity import sparsity

        return sparsity(self)

    @takes_settings(last=True)
    def diagnose(
        self,
        X: Any,
        y: Any = None,
        *,
        rules: Sequence[Rule] = (),
        every: int | None = None,
        steps: int | None = None,
        seconds: float | None = None,
        **settings: Unpack[FitOptions],
    ) -> Diagnosis:
        """What keeps this network from learning these samples, if anything: a chainrule.diagnosis.Diagnosis.

        A copy of the network is trained as ``fit`` would train it with the same arguments, for at most ``steps`` steps, and
        watched. The network itself, its random numbers and its running statistics stay as they are. After a fit the history
        and the weights of the network are judged, and the copy shows how the gradient passes; before any fit the training of
        the copy is judged.

        Parameters
            X, y : as in ``fit``
            rules : more rules to ask (instances of chainrule.diagnosis.Rule)
            every : take statistics every so many steps
            steps : the most steps of the copy's training, by default 3,000
            seconds : the time after which that training ends with its epoch, by default 20
            settings : arguments of ``fit``; None takes those of the last fit, or before any fit the defaults
        Data that fit would refuse (NaN, wrong shapes) are a finding here, not an error. Of a stream of batches up to 2,000
        samples that the copy is trained on are judged. An iterator, which can be read once, is used up: give a function that
        returns a new one. In a graph the nodes with labels are judged. Of several outputs each one is judged.

        Example
            >>> import numpy as np
            >>> from chainrule.layers import Dense, ReLU
            >>> X = np.random.default_rng(0).normal(size=(200, 5))
            >>> net = Network([Dense(16), ReLU(), Dense(1)], random_state=0)
            >>> net.diagnose(X, X[:, :1], learning_rate=1e-9, engine="reference", epochs=3).cause.name
            'learning-rate-too-small'
        """
        from .trials import diagnose

        session = Session(self)
        chosen = session.settings(settings)
        return diagnose(session, X, y, chosen, rules=rules, every=every, steps=steps, seconds=seconds)

    def report(
        self,
        X: Any,
        y: Any = None,
        *,
        diagnosis: Diagnosis | None = None,
        cure: Cure | None = None,
        title: str = "",
        **arguments: Any,
    ) -> DiagnosisReport:
        """The diagnosis of this network as a page: ``net.report(X, y).save("report.html")``; a notebook shows it.

        Parameters
            X, y : as in ``diagnose``
            diagnosis : to be shown; None takes that of the cure, else that of the last watched fit, else makes a new one
            cure : a Cure, whose evidence is shown as well ; title : of the page ; arguments : of ``diagnose``
        Returns     a chainrule.report.DiagnosisReport ; the network is not changed
        """
        from .report import DiagnosisReport
        from .training.summary import built_for

        found = diagnosis if cure is None or diagnosis is not None else cure.diagnosis
        found = found or getattr(self, "diagnosis_", None) or self.diagnose(X, y, **arguments)
        shown, title = built_for(self, X), title or "Diagnosis of a network"
        return DiagnosisReport(found, cure=cure, network=shown, X=X, title=title)

    # ------------------------------------------------------------ curing

    @takes_settings(last=True)
    def cure(
        self,
        X: Any,
        y: Any = None,
        *,
        time_budget: float = 60.0,
        seeds: int = 3,
        metric: str | Metric | None = None,
        diagnosis: Diagnosis | None = None,
        changes: Iterable[Change] | None = None,
        start: str = "auto",
        in_place: bool = False,
        refit: bool = True,
        **settings: Unpack[FitOptions],
    ) -> Cure:
        """Finds out which changes make the network learn, proves it, and returns the changed network with the evidence.

        The changes that the diagnosis calls for are tried alone and together in paired runs: on the same samples, in the
        same orders and from the same seeds as the network as it is. A change is kept only when it raises the mean held-out
        score by more than the spread between the seeds. ``print(cure)`` shows what was changed, as a patch of the Python
        that defines and trains the network, and what was tried and rejected; ``cure.network`` is the new network, trained.

        Parameters
            X, y : all samples, as in fit; of batches up to 5,000 samples are kept for the trials, of a graph nodes are held
            out
            time_budget : seconds for all of it: at most a quarter for the diagnosis, the rest for trials and the final
                training. A final training that takes more than a third of the budget comes on top of it
            seeds : int >= 2, the number of seeds from which each setup is run; two may do where time is short
            metric : a Metric or its name, for the first output. None takes the accuracy for classes (its mean over the
                classes where they are of unequal size), R² for numbers, and the mean of these for several outputs
            diagnosis : what ``diagnose`` found before; None makes a diagnosis
            changes : Changes to try in place of those that a diagnosis calls for
            start : "fresh" draws new start weights for every seed (but keeps those of frozen layers), "own" begins with the
                weights that the network has; "auto" is "own" for a network never fitted whose weights were set by hand
            in_place : whether this network becomes the cured one
            refit : whether the changed network is trained on all samples, for all its epochs, at the end
            validation_data, validation_split = 0.25 : what is held out for the scores
            verbose = 1 : 1 says on a terminal what is being done
            settings : arguments of ``fit``; None takes those of the last fit, or before any fit the defaults
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
        from .cures import CureOptions, cure

        fit: dict[str, Any] = dict(settings)
        options = CureOptions.taken_from(
            fit, time_budget=time_budget, seeds=seeds, metric=metric, diagnosis=diagnosis,
            changes=None if changes is None else list(changes), start=start, in_place=in_place, refit=refit,
        )  # fmt: skip
        session = Session(self)
        return cure(session, X, y, session.settings(fit), options)

    # ------------------------------------------------------------ keeping

    @property
    def network(self) -> Network:
        """The network itself, so that all that ``chainrule.load`` gives has its network under this name."""
        return self

    def save(self, path: Path, *, extra: dict[str, Any] | None = None, for_prediction: bool = False) -> None:
        """Writes the layers, the parameters and what the last fit used to one file (safetensors), atomically.

        Parameters
            path : of the file ; extra : more plain data, which chainrule.network.files.load gives back
            for_prediction : keep only what predictions need: of binarised weights one bit each, which no fit changes later
        """
        from .network.files import save

        save(self, path, {**(extra or {}), "fit": self.plain_fit_config()}, for_prediction=for_prediction)

    def to_onnx(
        self,
        path: Path,
        *,
        probabilities: bool = False,
        channels_first: bool = False,
        metadata: dict[str, str] | None = None,
        preprocessing: Preprocessing | None = None,
        sparse: bool = False,
    ) -> None:
        """Writes the prediction as an ONNX file, for any number of samples; see chainrule.exchange.onnx_export.

        Parameters
            path : of the file ; probabilities : what ``loss_.prediction`` makes of the first output, in place of raw outputs
            channels_first : whether images go in and come out as (N, C, H, W) in place of (N, H, W, C)
            metadata : texts to keep in the file by name, such as the classes
            preprocessing : what is done to samples before the network; see chainrule.exchange.onnx_preprocessing
            sparse : whether arrays with many zeros, such as pruned weights, are written by their other elements alone
        Raises      MissingDependencyError without the package onnx ; NotFittedError ; ModelFileError for what ONNX cannot
                    say
        """
        from .exchange.onnx_export import save_onnx

        loss = self.loss_of_first_output("to_onnx: probabilities") if probabilities else None
        options = {"channels_first": channels_first, "metadata": metadata, "preprocessing": preprocessing, "sparse": sparse}
        save_onnx(self, path, loss=loss, **options)  # type: ignore[arg-type]

    def load_weights(self, source: Any, *, names: Any = None, partly: bool = False) -> list[Match]:
        """Copies the weights of a PyTorch or Keras file into the layers, and says what went where; see exchange.weights.

        Parameters
            source : a .safetensors, .pt or .pth file (no code of it is run), or a dict of arrays by the names there
            names : {layer here: module there}, or a function; None finds them by names, or by order and shapes
            partly : whether layers that the file has nothing for keep their weights
        Raises      ModelFileError when the file is damaged, or it is in doubt what belongs where ; ShapeError ;
                    ParameterError
        """
        from .exchange.weights import load_weights

        found = load_weights(self, source, names=names, partly=partly)
        self._trained = True
        return found

    def save_weights(self, path: Path, *, layout: str = "torch", names: Any = None) -> list[Match]:
        """Writes the weights as PyTorch or Keras has them to a .safetensors file; see chainrule.exchange.weights.

        Parameters
            path : of the file ; layout : "torch" or "keras", whose names and order of axes it has
            names : {layer here: module there}, or a function; None takes those of known networks in PyTorch, else positions
        Returns     which tensors hold which layer
        Raises      NotFittedError ; ParameterError ; ModelFileError for a layer that is another there
        """
        from .exchange.weights import save_weights

        return save_weights(self, path, layout=layout, names=names)


def load(path: Path) -> Network:
    """The network that ``Network.save`` wrote, with the loss and the optimizer of its last fit.

    Raises      ModelFileError when the file is missing, damaged, foreign or of a newer version
    """
    from .network.files import load as load_file

    network, extra = load_file(path, Network)
    network.take_up(extra.get("fit") or {})
    return network
