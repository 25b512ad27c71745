"""The exceptions of chainrule: one tree, so that ``except ChainruleError`` catches all of them.

    ChainruleError
    ├── ShapeError            (ValueError)    an array or a layer of the wrong shape
    ├── DtypeError            (TypeError)     an array of the wrong kind (text where numbers belong, ...)
    ├── DataError             (ValueError)    data that cannot be learned from: NaN, empty, lengths, labels
    │   ├── TableError                        an unreadable table file, a missing or unknown column
    │   └── ImageError                        a picture that cannot be read, or does not fit the others
    ├── ParameterError        (ValueError)    a hyperparameter out of its range
    │   └── UnknownNameError                  a name that is not one of those known ("did you mean ...?")
    ├── NotFittedError        (ValueError, AttributeError)   used before fit, or before its shapes are known
    ├── DivergenceError       (ArithmeticError)  training produced a number that is not finite
    ├── ModelFileError        (ValueError)    a model file that is damaged, foreign or unsafe
    ├── EngineError           (RuntimeError)  an engine or one of its kernels failed
    ├── CheckFailed           (AssertionError) chainrule.testing found a layer, loss or optimizer to be wrong
    └── MissingDependencyError (ImportError)  an optional library is needed and not installed

Every message says where, what was expected, what came, and what to do. Each class also derives from
the built-in exception that users of scikit-learn expect, so ``except ValueError`` keeps working.

``Terminated`` is no error: after a SIGTERM it ends the process, as SystemExit does.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ChainruleError",
    "CheckFailed",
    "DataError",
    "DivergenceError",
    "DtypeError",
    "EngineError",
    "ImageError",
    "MissingDependencyError",
    "ModelFileError",
    "NotFittedError",
    "ParameterError",
    "ShapeError",
    "TableError",
    "Terminated",
    "UnknownNameError",
    "did_you_mean",
]


class ChainruleError(Exception):
    """Root of every exception that chainrule raises on purpose."""


class ShapeError(ChainruleError, ValueError):
    """An array, or the input of a layer, has the wrong shape."""


class DtypeError(ChainruleError, TypeError):
    """An array holds the wrong kind of values."""


class DataError(ChainruleError, ValueError):
    """The data cannot be used: not finite, empty, of unequal lengths, or with unknown labels."""


class TableError(DataError):
    """A table file cannot be read, or a column is missing or unknown."""


class ImageError(DataError):
    """A picture or a folder of pictures cannot be read, or a picture does not fit the others."""


class SoundError(DataError):
    """A sound file or a folder of sounds cannot be read, or what it holds is no sound."""


class ParameterError(ChainruleError, ValueError):
    """A hyperparameter is outside its range or of the wrong type."""


class UnknownNameError(ParameterError):
    """A name is not one of the known ones.

    Parameters  kind : what is named ("activation") ; name : what came ; known : what there is
                hint : a sentence that says which name was probably meant. None: the most similar known name is suggested
    """

    def __init__(self, kind: str, name: object, known: Iterable[str], hint: str | None = None) -> None:
        names = sorted(known)
        hint = did_you_mean(name, names) if hint is None else hint
        super().__init__(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(names)}.")


class NotFittedError(ChainruleError, ValueError, AttributeError):
    """The object has no parameters yet: it was not fitted, built or loaded."""


class DivergenceError(ChainruleError, ArithmeticError):
    """Training produced a number that is not finite; the last finite weights were kept."""


class ModelFileError(ChainruleError, ValueError):
    """A model file is truncated, damaged, foreign, of a newer version, or unsafe to load."""


class EngineError(ChainruleError, RuntimeError):
    """An engine cannot be used here, or one of its kernels returned an error."""


class CheckFailed(ChainruleError, AssertionError):
    """A check of ``chainrule.testing`` failed: the message is a table of what differs."""


class MissingDependencyError(ChainruleError, ImportError):
    """An optional library is needed for this and is not installed.

    Parameters  library : the module ; purpose : what needs it ; extra : chainrule's extra that installs it, "" for none
    """

    def __init__(self, library: str, purpose: str, extra: str) -> None:
        package = f"'chainrule[{extra}]'" if extra else library
        super().__init__(f"{purpose} needs {library}, which is not installed. Install it with: pip install {package}")


class Terminated(SystemExit, KeyboardInterrupt):
    """The process was asked to end, by SIGTERM, during a fit; the fit has ended well and kept what was learned.

    Nobody needs to catch it: it runs every ``finally`` clause and ends the process with the exit code 143 = 128 + 15, as
    shells and schedulers expect of a process that SIGTERM ended. It is a KeyboardInterrupt as well, so code that tidies up
    after Ctrl-C does so after SIGTERM, too.

    Example
        >>> try:
        ...     raise Terminated                        # in place of net.fit(X, y)
        ... except Terminated as end:
        ...     print("save the network here; then raise, or the program goes on:", end.code)
        save the network here; then raise, or the program goes on: 143
    """

    def __init__(self) -> None:
        super().__init__(143)


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """`` Did you mean 'relu'?`` for a near miss, else an empty string."""
    close = difflib.get_close_matches(str(name).lower(), [k.lower() for k in known], n=1, cutoff=0.6)
    lookup = {k.lower(): k for k in known}
    return f" Did you mean {lookup[close[0]]!r}?" if close else ""
