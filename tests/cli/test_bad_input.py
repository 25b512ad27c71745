"""Every bad input is one message that says what to do: no traceback, and the right exit code."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="module")
def model(run, folder) -> str:
    done = run("train", "flowers.csv", "-t", "kind", "--epochs", "2", "--model", "bad.chainrule", "--quiet")
    assert done.code == 0, done.err
    return "bad.chainrule"


@pytest.fixture(scope="module")
def files(folder: Path) -> Path:
    texts = {
        "empty.csv": b"",
        "header.csv": b"a,b\n",
        "ragged.csv": b"a,b\n1,2\n1,2,3\n",
        "latin.csv": "a,b\n1,caf\xe9\n".encode("latin-1"),
        "foreign.csv": b"PK\x03\x04 and more",
        "constant.csv": b"a,b\n1,x\n2,x\n3,x\n",
        "two.csv": b"a,b\n1,x\n2,y\n",
        "table.xyz": b"a,b\n1,2\n",
    }
    for name, data in texts.items():
        (folder / name).write_bytes(data)
    return folder


TABLES = [
    (("missing.csv",), ["missing.csv", "no such file"]),
    (("flower.csv",), ["no such file", "Did you mean 'flowers.csv'?"]),
    (("empty.csv",), ["empty.csv", "is empty"]),
    (("header.csv",), ["no rows"]),
    (("ragged.csv",), ["line 3", "expected 2 fields", "got 3"]),
    (("latin.csv", "--encoding", "utf-8"), ["latin.csv", "utf-8", "encoding"]),
    (("foreign.csv",), ["a zip or Excel file"]),
    (("table.xyz",), [".csv", ".parquet", "'.xyz'"]),
    (("flowers.csv", "--target", "kinds"), ["no column 'kinds'", "Did you mean 'kind'?", "'length', 'width', 'kind'"]),
    (("flowers.csv", "--exclude", "widht"), ["--exclude", "Did you mean 'width'?"]),
    (("flowers.csv", "--exclude", "kind"), ["--exclude", "is the target"]),
    (("flowers.csv", "--exclude", "length,width"), ["no column to learn from"]),
    (("flowers.csv", "--task", "regression"), ["'kind'", "expected a number"]),
    (("flowers.csv", "--loss", "mse"), ["--loss mse", "3 classes", "softmax_cross_entropy"]),
    (("flowers.csv", "--loss", "binary_cross_entropy"), ["3 classes", "softmax_cross_entropy"]),
    (("two.csv", "--target", "b"), ["2 rows cannot be split", "--test-fraction 0"]),
    (("constant.csv", "--target", "b"), ["'b' is 'x' in every row"]),
]


@pytest.mark.parametrize("case", [4, 8], ids=lambda i: " ".join(TABLES[i][0]))
def test_tables(run, files, case):
    arguments, expected = TABLES[case]
    refused(run("train", *arguments, *(() if "--target" in arguments else ("--target", "kind"))), expected)


def test_all_tables(files, capfd, monkeypatch):
    """In this process, since there are many; the command line is the same function."""
    from chainrule.cli.main import main

    monkeypatch.chdir(files)
    for arguments, expected in TABLES:
        target = () if "--target" in arguments else ("--target", "kind")
        refused(in_this_process(main, capfd, "train", *arguments, *target), expected)


OPTIONS = [
    (("--activation", "rleu"), ["activation 'rleu'", "Did you mean 'relu'?"]),
    (("--optimizer", "adma"), ["optimizer 'adma'", "Did you mean 'adam"]),
    (("--loss", "softmax_cross_entrpy"), ["Did you mean 'softmax_cross_entropy'?"]),
    (("--engine", "onedn"), ["--engine", "'onedn'", "Did you mean 'onednn'?"]),
    (("--precision", "float23"), ["Did you mean 'float32'?"]),
    (("--task", "regresion"), ["--task", "Did you mean 'regression'?"]),
    (("--hidden", "128,x"), ["--hidden", "128,64", "'128,x'"]),
    (("--hidden", "-3"), ["--hidden"]),
    (("--epochs", "0"), ["--epochs", "at least 1"]),
    (("--epochs", "ten"), ["--epochs", "integer"]),
    (("--batch-size", "-1"), ["--batch-size"]),
    (("--learning-rate", "-0.1"), ["--learning-rate", "above 0"]),
    (("--weight-decay", "-1"), ["--weight-decay"]),
    (("--test-fraction", "1.5"), ["--test-fraction", "0.25"]),
    (("--validation-fraction", "1"), ["--validation-fraction"]),
    (("--seed", "-1"), ["--seed"]),
    (("--threads", "0"), ["threads"]),
    (("--plot", "a.bmp"), [".png", "'a.bmp'"]),
    (("--plot", "nowhere/a.png"), ["nowhere", "does not exist"]),
    (("--model", "nowhere/a.chainrule"), ["--model", "does not exist"]),
    (("--quiet", "--verbose"), ["--verbose and --quiet"]),
    (("--delimiter", ";;"), ["--delimiter", "';;'"]),
    (("--hiden", "3"), ["--hiden", "--hidden"]),
]


@pytest.mark.parametrize("arguments", [("train", ""), ("train", " ", "-t", "y"), ("predict", "m", ""), ("show", "")])
def test_an_empty_argument_is_not_the_current_folder(run, arguments):
    done = run(*arguments)
    assert done.code == 2 and "is empty, as a variable of the shell" in done.err


def test_import_reads_one_network_at_a_time(run):
    done = run("import", "a.onnx", "b.onnx", "c.onnx")
    assert done.code == 2 and "Got 3 files" in done.err


def test_options_are_refused_before_the_table_is_read(capfd):
    """In this process, since there are many; the command line is the same function."""
    from chainrule.cli.main import main

    for arguments, expected in OPTIONS:
        code = main(["train", "there-is-no-such.csv", "--target", "kind", *arguments])
        out, err = capfd.readouterr()
        assert code == 2 and out == "" and "Error: " in err, (arguments, err)
        assert "no such file" not in err, arguments
        for text in expected:
            assert text in err, (arguments, err)


@pytest.mark.slow
def test_prediction(run, folder, model, capfd, monkeypatch):
    from chainrule.cli.main import main

    data = (folder / model).read_bytes()
    (folder / "cut.chainrule").write_bytes(data[: len(data) // 2])
    (folder / "pickle.chainrule").write_bytes(b"\x80\x04\x95" + bytes(100))
    (folder / "words.csv").write_text("length,width\n1,2\nlong,3\n", encoding="utf-8")
    (folder / "narrow.csv").write_text("length,widht\n1,2\n", encoding="utf-8")
    (folder / "unseen.csv").write_text("length,width,kind\n0,0,rose\n1,2,daisy\n", encoding="utf-8")
    cases = [
        ((model, "words.csv"), ["line 3", "'length'", "'long'"]),
        ((model, "narrow.csv"), ["'width'", "Did you mean 'widht'?"]),
        ((model, "gone.csv"), ["no such file"]),
        (("cut.chainrule", "flowers.csv"), ["cut.chainrule", "truncated"]),
        (("pickle.chainrule", "flowers.csv"), ["pickle", "never loaded"]),
        (("flowers.csv", "flowers.csv"), ["flowers.csv", "model"]),
        (("gone.chainrule", "flowers.csv"), ["gone.chainrule"]),
        ((model, "flowers.csv", "-o", "nowhere/out.csv"), ["--output", "nowhere"]),
        ((model, "flowers.csv", "-o", "out.xlsx"), ["--output", ".csv"]),
    ]
    for arguments, expected in (cases[0], cases[3]):
        refused(run("predict", *arguments), expected)
    monkeypatch.chdir(folder)
    for arguments, expected in cases:
        refused(in_this_process(main, capfd, "predict", *arguments), expected)
    done = run("predict", model, "unseen.csv")
    assert done.code == 0 and "predicted_kind" in done.out and "'daisy'" in done.err


@pytest.mark.slow
def test_a_network_without_preprocessing(run, folder):
    import chainrule

    network = chainrule.Network([chainrule.Input(3), chainrule.Dense(2)], random_state=0)
    network.build()
    network.save(folder / "bare.chainrule")
    shown = run("show", "bare.chainrule")
    assert shown.code == 0 and "without the preprocessing" in shown.out and "Dense(2)" in shown.out
    refused(run("predict", "bare.chainrule", "flowers.csv"), ["preprocessing", "chainrule.load"])
    refused(run("show", "gone.chainrule"), ["gone.chainrule"])


def test_debug_shows_the_traceback(run):
    done = run("train", "missing.csv", "--target", "kind", "--debug")
    assert done.code != 0 and "Traceback" in done.err and "TableError" in done.err


def in_this_process(main, capfd, *arguments):
    capfd.readouterr()
    code = main(arguments)
    out, err = capfd.readouterr()
    return SimpleNamespace(code=code, out=out, err=err)


def refused(done, expected):
    assert done.code == 2, done
    assert done.err.startswith("Error: ") and "Traceback" not in done.err and done.err.count("Error:") == 1, done.err
    assert done.out == ""
    for text in expected:
        assert text in done.err, done.err
