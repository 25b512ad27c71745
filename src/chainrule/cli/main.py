"""The commands of ``chainrule``, and what happens when one of them fails.

    exit code   0 done ; 1 failed (a diverging run, no usable engine, a missing library, a broken pipe), and of diagnose that
                  a fault was found which is not cured
                2 the data, a file or an option is not as it must be ; 130 interrupted by Ctrl-C

Every error that chainrule expects is one message on standard error without a traceback; ``--debug`` shows it.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from .._version import __version__
from ..errors import ChainruleError, DivergenceError, EngineError, MissingDependencyError
from .demo import demo
from .diagnose import diagnose
from .info import info
from .lab import lab
from .predict import predict
from .show import show
from .train import train

__all__ = ["app", "main"]

FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130
#: typer has its own copy of click or uses the installed one, by version; both derive BadParameter from their UsageError.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="chainrule",
    help="Train neural networks on tables and pictures, use them, and see their mathematics.",
    epilog="Begin with:  chainrule demo   or   chainrule train DATA.csv --target COLUMN   or   chainrule train PHOTOS/",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command(short_help="Train a network on a table (CSV, TSV, Parquet) or on folders of pictures.")(train)
app.command(short_help="Say why a network does not learn, or whether a model is healthy; cure it.")(diagnose)
app.command(short_help="Predict the rows of a table, or pictures, with a trained model.")(predict)
app.command(short_help="Show a model: layers, preprocessing, equations.")(show)
app.command(short_help="Show which engine, libraries and processor are used.")(info)
app.command(short_help="Train on handwritten digits, with equations and speed.")(demo)
app.command(short_help="Controlled experiments: vanishing gradients, start weights, optimizers ...")(lab)


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
    # A process may be started without them; what it says is then for nobody.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks a letter such as η shows ? instead
            stream.reconfigure(errors="replace")
    try:
        code = app(args=given, prog_name="chainrule", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except typer.Exit as stop:
        return int(stop.exit_code)
    except _UsageError as error:
        return _usage(error)
    except (typer.Abort, KeyboardInterrupt):
        if debug:
            raise
        _say("Interrupted.")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has enough of it, as `head` does. Nothing may be flushed into the pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
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
        # What could not be written is still in the buffer, and Python would try, and complain, once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except MemoryError:
        if debug:
            raise
        _say("Error: there is not enough memory for this. Use a smaller --batch-size, --hidden or --size, or fewer rows.")
        return FAILED


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

    try:
        out(stderr=True).print(message, style=style, soft_wrap=not sys.stderr.isatty())
    except BrokenPipeError:
        return


if __name__ == "__main__":
    sys.exit(main())
