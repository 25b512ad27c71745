"""The command itself: help, info, the demonstration, interrupts, pipes, and terminals."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chainrule import __version__

LONG = ("train", "flowers.csv", "-t", "kind", "--epochs", "1000000", "--patience", "1000000", "--model", "long.chainrule")


def test_help_and_version(run, capfd):
    from chainrule.cli.main import main

    for arguments in (("--help",), ()):
        done = run(*arguments)
        assert all(name in done.out + done.err for name in ("train", "predict", "show", "info", "demo"))
    for command in ("train", "predict", "show", "info", "demo"):
        assert main([command, "-h"]) == 0
        assert f"chainrule {command}" in capfd.readouterr().out
    assert run("--version").out == f"chainrule {__version__}\n"
    done = run("trian")
    assert done.code == 2 and "Error:" in done.err and "trian" in done.err and "Traceback" not in done.err
    assert run("train", "flowers.csv").code == 2  # --target is missing


def test_help_imports_nothing_heavy(folder, environment):
    code = (
        "import sys; from chainrule.cli.main import main; main(['--help']); main(['train', '--help']);"
        "print([m for m in ('numpy', 'numba', 'sklearn', 'matplotlib', 'rich.table') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), cwd=folder, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


def test_info(run):
    done = run("info")
    assert done.code == 0
    for text in (f"chainrule {__version__}", "NumPy", "engine", "because", "threads", "Optional libraries", "scikit-learn"):
        assert text in done.out
    assert re.search(r"instruction set|NumPy", done.out)


def test_info_names_the_kernels_of_a_packed_model(run, tmp_path: Path):
    from chainrule import BatchNorm, BinaryDense, Network, Sign

    path = tmp_path / "bits.chainrule"
    Network([BinaryDense(64), BatchNorm(), Sign(), BinaryDense(3)], random_state=0).build((8,)).save(path)
    done = run("info", str(path))
    assert (done.code, done.err) == (0, "")
    assert "2 signs" in done.out and "signs: " in done.out
    assert re.search(r"AVX2, carry-save|AVX-512|portable|NumPy, of the reference engine", done.out)
    missing = run("info", str(tmp_path / "none.chainrule"))
    assert missing.code != 0 and "none.chainrule" in missing.err


@pytest.mark.slow
def test_demo(run, tmp_path: Path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    done = run("demo", "--output", str(tmp_path / "new"))
    assert (done.code, done.err) == (0, "")
    accuracy = re.search(r"Test accuracy (0\.\d+)", done.out)
    assert accuracy and float(accuracy[1]) >= 0.97
    for text in ("samples/s", "time left", "val_accuracy", "backward", "softmax", "scikit-learn", "ms/epoch", "Same work"):
        assert text in done.out
    assert (tmp_path / "new" / "digits.chainrule").is_file()
    assert (tmp_path / "new" / "digits-learning-curves.png").read_bytes().startswith(b"\x89PNG")
    shown = run("show", str(tmp_path / "new" / "digits.chainrule"))
    assert shown.code == 0 and "Dense(256)" in shown.out


def test_interrupt_keeps_what_was_learned(run, folder, environment):
    process = subprocess.Popen(
        [sys.executable, "-m", "chainrule", *LONG],
        cwd=folder, env=environment(PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "1/1000000" in line:
                break
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()  # a million epochs must not outlive the test
    assert process.returncode == 130 and "Interrupted after" in err and "kept" in err and "Traceback" not in err
    assert "Saved long.chainrule" in out and "accuracy" in out
    assert run("predict", "long.chainrule", "flowers.csv", "-q").code == 0


@pytest.mark.slow
def test_broken_pipe_is_quiet(folder, run, environment):
    assert run("train", "flowers.csv", "-t", "kind", "--epochs", "2", "-m", "pipe.chainrule", "-q").code == 0
    for command in ("predict pipe.chainrule flowers.csv -o -", "show pipe.chainrule", "predict pipe.chainrule flowers.csv"):
        done = subprocess.run(
            ["bash", "-c", f"'{sys.executable}' -m chainrule {command} | true"],
            cwd=folder, env=environment(), capture_output=True, text=True,
        )  # fmt: skip
        assert not any(word in done.stderr for word in ("Traceback", "Error", "Exception", "Broken")), done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_closed_output_and_few_letters(run, folder, environment):
    assert run("train", "flowers.csv", "-t", "kind", "--epochs", "2", "-m", "full.chainrule", "-q").code == 0
    start = f"'{sys.executable}' -m chainrule show full.chainrule"
    options = {"cwd": folder, "capture_output": True, "text": True}
    done = subprocess.run(["bash", "-c", f"{start} > /dev/full"], env=environment(), **options)
    assert done.returncode == 1 and done.stderr.count("Error:") == 1 and "Traceback" not in done.stderr
    done = subprocess.run(["bash", "-c", f"{start} >&-"], env=environment(), **options)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(["bash", "-c", start], env=environment(PYTHONIOENCODING="ascii"), **options)
    assert (done.returncode, done.stderr) == (0, "") and "softmax" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("columns", [60, 120])
def test_on_a_terminal(folder, columns, environment):
    text = on_terminal(
        folder, columns, environment(), "train", "flowers.csv", "-t", "kind", "--epochs", "40", "-m", "tty.chainrule"
    )
    assert "\x1b[" in text and "━" in text and "Saved tty.chainrule" in text
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    assert all(len(part) <= columns for line in plain.splitlines() for part in line.split("\r"))
    text = on_terminal(folder, columns, environment(NO_COLOR="1"), "predict", "tty.chainrule", "flowers.csv")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", text) and "predicted_kind" in text
    text = on_terminal(folder, columns, environment(), "predict", "tty.chainrule", "gone.csv")
    assert "\x1b[1;31mError: gone.csv" in text


def on_terminal(folder: Path, columns: int, environment: dict[str, str], *arguments: str) -> str:
    """What a command writes to a terminal of this many columns."""
    given = {**environment, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "40"}
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "chainrule", *arguments], cwd=folder, env=given, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    seen = b""
    try:
        while select.select([master], [], [], 60)[0]:
            part = os.read(master, 65536)
            if not part:
                break
            seen += part
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(master)
    process.wait(timeout=60)
    return seen.decode()
