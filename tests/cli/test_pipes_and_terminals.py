"""Standard input, pipes, signals, validation and test files, and what reaches a terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chainrule.cli.main import main
from chainrule.cli.terminal import neutral

MODELS = Path(__file__).parents[1] / "data" / "models"
Environment = Callable[..., dict[str, str]]


def shell(command: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    line = re.sub(r"(^|[|(] ?)chainrule ", rf"\1'{sys.executable}' -m chainrule ", command)
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def model(run: Any, folder: Path) -> str:
    done = run("train", "flowers.csv", "-t", "kind", "--epochs", "5", "-m", "p.chainrule", "-q")
    assert done.code == 0, done.err
    return "p.chainrule"


@pytest.mark.slow
def test_a_dash_is_standard_input(folder: Path, model: str, environment: Environment) -> None:
    by_name = shell(f"chainrule predict {model} flowers.csv -o -", folder, environment())
    for command in (
        f"cat flowers.csv | chainrule predict {model} - -o -",
        f"chainrule predict {model} <(cat flowers.csv) -o -",
        f"cat {model} | chainrule predict - flowers.csv -o -",
    ):
        done = shell(command, folder, environment())
        assert (done.returncode, done.stdout) == (0, by_name.stdout), (command, done)
    done = shell("cat flowers.csv | chainrule train - -t kind --epochs 2", folder, environment())
    assert done.returncode == 0 and "standard-input.csv: 90 rows" in done.stdout and "Saved model.chainrule" in done.stdout
    done = shell("cat flowers.csv | chainrule diagnose - -t kind --epochs 2 --exit-zero", folder, environment())
    assert done.returncode == 0 and "standard-input.csv: kind" in done.stdout and "/tmp" not in done.stdout


@pytest.mark.slow
def test_texts_by_standard_input(folder: Path, environment: Environment) -> None:
    texts = MODELS / "texts.chainrule"
    done = shell(f"printf 'a good film\\na bad film\\n' | chainrule predict {texts} - -o -", folder, environment())
    assert [line.split(",")[1] for line in done.stdout.splitlines()] == ["predicted_label", "positive", "negative"]
    table = f"printf 'label,review\\npositive,a good film\\n' | chainrule predict {texts} -"
    done = shell(table, folder, environment())
    assert done.returncode == 0 and "accuracy" in done.stdout and "1.0000" in done.stdout


@pytest.mark.slow
def test_bad_standard_input_is_one_clear_error(folder: Path, model: str, environment: Environment) -> None:
    for command, says in (
        (f"true | chainrule predict {model} -", "Standard input is empty"),
        (f"cat {model} | chainrule predict - -", "twice"),
        (f"chainrule predict {model} - <&-", "standard input"),
    ):
        done = shell(command, folder, environment())
        assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr, (command, done)


@pytest.mark.slow
def test_a_reader_that_goes_away_changes_nothing(folder: Path, model: str, environment: Environment) -> None:
    for command, code in (
        (f"chainrule predict {model} flowers.csv -o - | head -1", 0),
        ("chainrule train flowers.csv -t kind --epochs 3 -m gone.chainrule | true", 0),
        ("chainrule diagnose flowers.csv -t kind --weight-decay 1000 --epochs 3 | true", 1),
    ):
        done = shell(command, folder, environment(PYTHONUNBUFFERED="1" * (code == 0)))
        assert done.returncode == code, (command, done)
        assert not any(word in done.stderr for word in ("Traceback", "Broken", "Exception")), done.stderr
    assert (folder / "gone.chainrule").is_file()


@pytest.mark.parametrize(
    ("number", "code", "background"),
    [(signal.SIGTERM, 143, False), (signal.SIGHUP, 143, False), (signal.SIGINT, 130, False), (signal.SIGTERM, 143, True)],
)
def test_signals_keep_what_was_learned(
    folder: Path, environment: Environment, number: int, code: int, background: bool
) -> None:
    """A script starts programs in the background with Ctrl-C ignored; SIGTERM must end them all the same."""
    name = f"signal{int(number)}{background}.chainrule"
    arguments = ["train", "flowers.csv", "-t", "kind", "--epochs", "1000000", "--patience", "1000000", "-m", name]
    process = subprocess.Popen(
        [sys.executable, "-m", "chainrule", *arguments],
        cwd=folder, env=environment(PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if background else None,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "1/1000000" in line:
                break
        time.sleep(0.2)
        if background:
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
            assert process.poll() is None, "Ctrl-C is ignored"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()  # a million epochs must not outlive the test
    assert process.returncode == code and "what was learned so far is kept" in err and "Traceback" not in err
    assert f"Saved {name}" in out and (folder / name).is_file()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_quit_before_training_says_so(folder: Path, environment: Environment) -> None:
    os.mkfifo(folder / "nobody.csv")
    process = subprocess.Popen(
        [sys.executable, "-m", "chainrule", "train", "nobody.csv", "-t", "kind"],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:  # until it waits for somebody to write into the pipe
        state = Path(f"/proc/{process.pid}/wchan")
        if not state.exists() or "fifo" in state.read_text() or "pipe" in state.read_text():
            break
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 143 and "Traceback" not in err and out == ""
    assert "before the training began: nothing was learned, and nothing was saved" in err


@pytest.mark.slow
def test_validation_and_test_files(folder: Path, run: Any) -> None:
    done = run("train", "flowers.csv", "-t", "kind", "--epochs", "2", "-m", "v.chainrule",
               "--validation", "flowers.csv", "--test", "flowers.csv")  # fmt: skip
    assert done.code == 0 and "90 rows to train on, 90 to validate on, 90 to test on" in done.out, done
    assert "Test part (90 rows)" in done.out and "val_loss" in done.out
    for more, says in (
        (("--test-fraction", "0.2", "--test", "flowers.csv"), "--test"),
        (("--test", "people.csv"), "--test"),
    ):
        done = run("train", "flowers.csv", "-t", "kind", "--epochs", "1", *more)
        assert done.code == 2 and says in done.err, done


def test_nothing_in_the_data_is_a_command_to_the_terminal(tmp_path: Path, capfd: Any, monkeypatch: Any) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    escapes = "\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\u202e"
    names = [f"a{escapes[0]}", f"b{escapes[1]} $x$", "kind $ and $"]
    labels = [f"yes{escapes[2]}", f"no\nline{escapes[3]}"]
    rows = [f'{i},{i % 7},"{labels[i % 2]}"' for i in range(60)]
    (tmp_path / "t.csv").write_text(",".join(f'"{name}"' for name in names) + "\n" + "\n".join(rows), encoding="utf-8")
    given = ["--epochs", "3", "-m", "m.chainrule", "--plot", "m.png"]
    for arguments, code in (
        (["train", "t.csv", "-t", names[2], *given], 0),
        (["show", "m.chainrule"], 0),
        (["predict", "m.chainrule", "t.csv"], 0),
        (["diagnose", "m.chainrule", "t.csv", "--exit-zero"], 0),
        (["train", "t.csv", "-t", f"a{escapes[0]}x"], 2),
        (["predict", "m.chainrule", f"gone{escapes[1]}.csv"], 2),
        (["train", "t.csv", "-t", names[2], f"--{escapes[0]}"], 2),
    ):
        assert main(arguments) == code, capfd.readouterr()
        found = capfd.readouterr()
        for sign in ("\x1b", "\x9b", "\x07", "\u202e"):
            assert sign not in found.out + found.err, (arguments, found)
    assert (tmp_path / "m.png").stat().st_size > 5000


def test_neutral_text_keeps_its_width() -> None:
    text = "a\x1b[31mb\x07\x9bc\u202ed\u2028\r\ttab\nline é 日本"
    assert len(neutral(text)) == len(text) and neutral("plain ünïcode\n\t") == "plain ünïcode\n\t"
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028]", neutral(text))


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "language"), [(45, "C"), (45, "C.UTF-8")])
def test_a_narrow_terminal_and_one_without_utf8(folder: Path, model: str, columns: int, language: str) -> None:
    from .conftest import process_environment
    from .test_command import on_terminal

    environment = process_environment(LC_ALL=language, LANG=language)
    del environment["PYTHONIOENCODING"]
    for arguments in (
        ("train", "flowers.csv", "-t", "kind", "--epochs", "30", "-m", "n.chainrule"),
        ("predict", model, "flowers.csv"),
    ):
        text = on_terminal(folder, columns, environment, *arguments)
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
        assert "Traceback" not in plain and "Error" not in plain, plain
        if language == "C":
            assert plain.isascii(), [sign for sign in plain if ord(sign) > 127]
        else:
            assert "─" in plain or "→" in plain
        # Commands to be copied go on in the next line.
        long = [line for line in plain.splitlines() if len(line.split("\r")[-1]) > columns and "chainrule" not in line]
        assert not long, long


def test_completion_knows_the_names(folder: Path, environment: Environment) -> None:
    given = environment(_CHAINRULE_COMPLETE="complete_bash", COMP_WORDS="chainrule train --optimizer ada", COMP_CWORD="3")
    done = subprocess.run(
        [sys.executable, "-m", "chainrule"], cwd=folder, env=given, capture_output=True, text=True, timeout=60
    )
    assert {"adam", "adamw", "adagrad"} <= set(done.stdout.split()), done


def test_long_names_and_many_columns(tmp_path: Path, capfd: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    long = "x" * 5000
    for arguments in (
        ["train", f"{long}.csv", "-t", "y"],
        ["show", long],
        ["predict", str(MODELS / "table.chainrule"), long],
    ):
        assert main(arguments) == 2
        assert len(capfd.readouterr().err) < 500
    names = [f"c{i}" for i in range(3000)]
    rows = [",".join([*(str((i * j) % 7) for j in range(3000)), "ab"[i % 2]]) for i in range(30)]
    (tmp_path / "wide.csv").write_text("\n".join([",".join([*names, "y"]), *rows]), encoding="utf-8")
    assert main(["train", "wide.csv", "-t", "yy"]) == 2
    assert len(capfd.readouterr().err) < 700
    assert main(["train", "wide.csv", "-t", "y", "--epochs", "1", "--hidden", "4", "-q"]) == 0
    assert main(["show", "wide.chainrule", "--no-equations"]) == 0
    assert len(capfd.readouterr().out.splitlines()) < 250
