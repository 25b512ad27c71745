"""The commands of ``chainrule``, and what happens when one of them fails.

    exit code   0 done ; 1 failed (a diverging run, no usable engine, a missing library, output that cannot be written), and
                  of diagnose that a fault was found which is not cured
                2 the data, a file or an option is not as it must be ; 130 interrupted by Ctrl-C ; 143 ended by SIGTERM

A reader of the output that goes away, as ``head`` does, changes neither the work nor the exit code. Every error that
chainrule expects is one message on standard error without a traceback; ``--debug`` shows it.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Annotated, Any

import typer

from .._version import __version__
from ..errors import ChainruleError, DivergenceError, EngineError, MissingDependencyError, ParameterError
from .demo import demo
from .diagnose import diagnose
from .export import export
from .generate import generate
from .import_model import import_model
from .info import info
from .lab import lab
from .predict import predict
from .prune import prune
from .quantize import quantize
from .read import read
from .serve import serve
from .show import show
from .sources import clean_up
from .style import style
from .terminal import prepared_streams
from .track import track
from .train import train
from .tune import tune

__all__ = ["app", "main"]

FAILED, WRONG_INPUT, INTERRUPTED, TERMINATED = 1, 2, 130, 143
#: typer has its own copy of click or uses the installed one, by version; both derive BadParameter from their UsageError.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


class _Interrupted(Exception):
    """Ctrl-C, which typer would turn into an exit without a word."""


def _command(function: Callable[..., None]) -> Callable[..., None]:
    """The command with its Ctrl-C as an exception that typer does not know."""

    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            function(*arguments, **options)
        except KeyboardInterrupt as error:
            raise _Interrupted(*error.args) from error

    return run


app = typer.Typer(
    name="chainrule",
    help="Train neural networks on tables, texts and pictures, use them, and see their mathematics.",
    epilog="Begin with:  chainrule demo   or   chainrule train DATA.csv --target COLUMN   or   chainrule train PHOTOS/",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command(short_help="Train a network on a table, on texts, or on folders of pictures.")(_command(train))
app.command(short_help="Say why a network does not learn, or whether a model is healthy, and cure it.")(_command(diagnose))
app.command(short_help="Make a model smaller: remove weights, and measure what that costs.")(_command(prune))
app.command(short_help="Turn the weights of a model into 8 bits, and measure what that costs.")(_command(quantize))
app.command(short_help="Predict new rows, texts or pictures with a trained model.")(_command(predict))
app.command(short_help="Follow objects through a video with a detector, or from boxes that were found.")(_command(track))
app.command(short_help="Train a network that makes pictures, and make pictures with it.")(_command(generate))
app.command(short_help="Paint a photo in the style of a painting, or train a network that does.")(_command(style))
app.command(short_help="Print the text of pages that a trained model reads.")(_command(read))
app.command(short_help="Show a model: its preprocessing, layers and equations.")(_command(show))
app.command(short_help="Search for the settings with which a training comes out best.")(_command(tune))
app.command(short_help="Serve a model over HTTP, with a page to try it.")(_command(serve))
app.command("import", short_help="Read a network of ONNX, Keras, Caffe or MXNet.")(_command(import_model))
app.command(short_help="Write a model as an ONNX file.")(_command(export))
app.command(short_help="Show which engine, libraries and processor are used here.")(_command(info))
app.command(short_help="Train on handwritten digits, and show the equations and the speed.")(_command(demo))
app.command(short_help="Run controlled experiments: vanishing gradients, start weights, optimizers ...")(_command(lab))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"chainrule {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error. May stand anywhere.")] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code.

    Parameters  arguments : those after the command's name; None takes them from the process
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    end = given.index("--") if "--" in given else len(given)
    debug = "--debug" in given[:end]
    given = [a for a in given[:end] if a != "--debug"] + given[end:]
    with prepared_streams(), _signals() as signals:
        code = _run(given, debug)
        code = TERMINATED if signals and code == INTERRUPTED else code
    if "--distributed" in given and code not in (0, INTERRUPTED, TERMINATED):
        from ..training.distributed import abort_if_distributed

        abort_if_distributed(code)
    return code


def _run(given: Sequence[str], debug: bool) -> int:
    """The exit code of one command, after whose errors are said."""
    try:
        _refuse_empty(given)
        code = app(args=list(given), prog_name="chainrule", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except typer.Exit as stop:
        return int(stop.exit_code)
    except _UsageError as error:
        return _usage(error)
    except (typer.Abort, _Interrupted, KeyboardInterrupt) as error:
        if debug:
            raise
        where = f" {error}" if isinstance(error, _Interrupted) and error.args else ""
        _say(f"Interrupted{where}.")
        return INTERRUPTED
    except ChainruleError as error:
        if debug:
            raise
        _say(f"Error: {error}")
        failed = isinstance(error, (DivergenceError, EngineError, MissingDependencyError))
        return FAILED if failed else WRONG_INPUT
    except OSError as error:
        if debug:
            raise
        where = f"{error.filename!r}: " if error.filename else "the output cannot be written: "
        _say(f"Error: {where}{error.strerror or error}.")
        if error.errno == errno.ENAMETOOLONG:
            return WRONG_INPUT
        # What could not be written is still in the buffer, and Python would try, and complain, once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except MemoryError:
        if debug:
            raise
        _say("Error: there is not enough memory for this. Use a smaller --batch-size, --hidden or --size, or fewer samples.")
        return FAILED
    finally:
        clean_up()


def _refuse_empty(given: Sequence[str]) -> None:
    """Refuses an empty argument, which as a path would be the current folder. Raises  ParameterError

    The value of an option may be empty; so may what follows a flag, which looks the same here.
    """
    for before, argument in pairwise(given):
        if not argument.strip() and not before.startswith("-"):
            raise ParameterError(
                f"The argument after {before!r} is empty, as a variable of the shell without a value is. Give a file, a "
                f"folder or a text, or leave it out."
            )


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Lets SIGTERM, and the end of the terminal, stop the work as Ctrl-C does, so that what was learned is kept; and lets
    warnings of libraries pass through the one place that prints. Gives the list of such signals that came.

    A script starts programs in the background with Ctrl-C ignored. It stays so, but what handles Ctrl-C is needed for the
    other signals: so it is there, and the signal itself is blocked.
    """
    came: list[int] = []

    def interrupt(number: int, frame: Any) -> None:
        came.append(number)
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    before = {}
    deaf = False
    if threading.current_thread() is threading.main_thread():
        deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN and hasattr(signal, "pthread_sigmask")
        if deaf:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            signal.signal(signal.SIGINT, signal.default_int_handler)
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, interrupt)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if deaf:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _show_warning(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
    from .console import warn

    warn(f"Warning: {message}")


def _usage(error: Exception) -> int:
    """An option or argument that typer refused."""
    message = getattr(error, "format_message", error.__str__)()
    if not message:  # no arguments at all: the help was printed
        return WRONG_INPUT
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "chainrule"
    _say(f"Error: {message}")
    _say(f"Try '{command} --help'.", style="")
    return WRONG_INPUT


def _say(message: str, style: str = "bold red") -> None:
    from .console import out

    # A name of thousands of letters would hide the message itself.
    message = re.sub(r"\S{201,}", lambda found: f"{found[0][:120]}...{found[0][-40:]}", message)
    out(stderr=True).print(message, style=style, soft_wrap=not sys.stderr.isatty())


if __name__ == "__main__":
    sys.exit(main())
