"""Calls of commands with hostile arguments, for ``fuzz.py``: each must work, or be refused by one message and the exit code
1 or 2.

A fault is a traceback, another exit code, a control sequence that reaches the terminal, or a call that does not end.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import typer

from chainrule.cli.main import app, main

#: Seconds that a call may take; calls that begin a training are among them.
SECONDS = 60
#: Commands that run until they are told to end, or for minutes when their arguments are right.
LEFT_OUT = ("serve", "demo", "lab", "tune")
HOSTILE = (
    "", " ", "-", "--", ".", "..", "/", "/dev/null", "/proc/self/mem", "~", "$HOME", "*", "[", "a\nb",
    "\x1b[31mred", "\x1b]0;t\x07",
    "%s", "{}", "{0}", "'", '"', "\\", "None", "nan", "inf", "-inf", "-1", "0", "1", "1e400", "1e-400",
    "9" * 40, "0x10", "1_0", "٣",
    "1,5", "1:2", "a=b", "true", "x" * 300, "x" * 5000, "é", "\u202egnp.exe", "😀", "\ud800", "t.csv",
    "t.csv/x", "m.chainrule",
    "folder", "y", "a", "relu", "adam", "auto", "1,2", "3x3", "http://localhost/x", "t.csv:1",
    "out.csv", "none/out.csv",
)  # fmt: skip


def commands() -> dict[str, list[Any]]:
    """The parameters of each command, as typer has them."""
    group: Any = typer.main.get_command(app)
    return {name: list(command.params) for name, command in group.commands.items() if name not in LEFT_OUT}


def arguments_of(rng: np.random.Generator) -> list[str]:
    """One call: a command, values for its arguments, and some of its options with values."""
    known = commands()
    name = str(rng.choice(sorted(known)))
    likely = {"model": "m.chainrule", "data": "t.csv"}
    given, options = [], []
    for parameter in known[name]:
        if parameter.param_type_name == "argument":
            right = likely.get(parameter.name) if rng.random() < 0.6 else None
            given.append(right or str(rng.choice(HOSTILE)))
        elif parameter.name != "help" and (parameter.required or rng.random() < 3 / max(3, len(known[name]))):
            options.append(str(rng.choice(parameter.opts)))
            if not parameter.is_flag:
                options.append("y" if parameter.name == "target" and rng.random() < 0.7 else str(rng.choice(HOSTILE)))
    return [name, *(given + options if rng.random() < 0.8 else options + given)]


def prepare(folder: Path) -> None:
    """Writes a table, a model of it, and a folder that holds something else."""
    rows = "\n".join(f"{i % 7},{i},{'no' if i % 2 else 'yes'}" for i in range(40))
    (folder / "t.csv").write_text(f"a,b,y\n{rows}\n")
    (folder / "folder").mkdir()
    (folder / "folder" / "note.txt").write_text("note")
    code = main(["train", str(folder / "t.csv"), "-t", "y", "-q", "--epochs", "1", "--model", str(folder / "m.chainrule")])
    if code:
        raise RuntimeError(f"the model for the calls was not made: exit code {code}")


def call(arguments: list[str], folder: Path, log: Path) -> str | None:
    """Runs a call in a process of its own, in this folder. Returns  what is wrong ; None for nothing"""
    process = os.fork()
    if process == 0:
        code = 99
        try:
            signal.alarm(SECONDS)
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.chdir(folder)
            code = main(arguments)
            sys.stdout.flush()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    text = log.read_bytes()
    if code == -signal.SIGALRM:
        return f"the call did not end within {SECONDS} seconds"
    if b"Traceback" in text:
        return "a traceback"
    if b"\x1b" in text or b"\x07" in text:
        return "a control sequence reached the terminal"
    return None if code in (0, 1, 2) else f"exit code {code}"


def campaign(name: str, seed: int, rounds: int, folder: Path) -> Iterator[tuple[int, str]]:
    """Calls in copies of one folder; gives the number of a call with what was wrong, its arguments and what it printed."""
    prepared, here, log = folder / "prepared", folder / "here", folder / "log"
    prepared.mkdir()
    prepare(prepared)
    for number in range(rounds):
        arguments = arguments_of(np.random.default_rng([seed, zlib.crc32(name.encode()), number]))
        shutil.copytree(prepared, here)
        wrong = call(arguments, here, log)
        shutil.rmtree(here)
        if wrong is not None:
            printed = log.read_text("utf-8", "replace")[-1500:]
            yield number, f"{wrong} of chainrule {' '.join(map(ascii, arguments))[:500]}: {printed!a}"


#: By name, as those of ``interrupts.py``.
CAMPAIGNS = {"hostile-arguments": campaign}
