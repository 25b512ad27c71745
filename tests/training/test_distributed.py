"""Ranks of MPI train as one process with the whole batch does, agree on everything, and none waits for one that has gone."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import chainrule

pytest.importorskip("mpi4py")

PROGRAM = Path(__file__).with_name("ranks_program.py")
MPIRUN = next(
    (path for path in (Path(sys.executable).with_name("mpiexec"), Path("/usr/bin/mpiexec")) if path.exists()), None
)
pytestmark = pytest.mark.skipif(MPIRUN is None, reason="there is no mpiexec beside this Python")


def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ranks_program", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*command: str, ranks: int = 2, timeout: float = 100) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(chainrule.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [str(MPIRUN), "-n", str(ranks), sys.executable, *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def case(name: str, folder: Path, ranks: int = 2) -> subprocess.CompletedProcess[str]:
    done = run(str(PROGRAM), name, str(folder), ranks=ranks)
    if name not in ("fails", "killed"):
        assert done.returncode == 0, done.stderr
    return done


def arrays(place: Path) -> dict[str, Any]:
    with np.load(place) as found:
        return dict(found)


def test_two_ranks_learn_what_one_process_learns(tmp_path: Path) -> None:
    case("equal", tmp_path)
    module = program()
    module.save(module.equal(False, tmp_path), tmp_path / "alone.npz")
    alone, first, second = (arrays(tmp_path / f"{name}.npz") for name in ("alone", "rank0", "rank1"))
    assert alone.keys() == first.keys() and len(alone) > 8
    for name, array in alone.items():
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
        np.testing.assert_allclose(first[name], array, rtol=2e-4, atol=2e-6, err_msg=name)


@pytest.mark.slow
def test_three_ranks_too(tmp_path: Path) -> None:
    """A batch of 20 is 7 + 7 + 6, and the last of 3 samples one each."""
    case("equal", tmp_path, ranks=3)
    first, last = arrays(tmp_path / "rank0.npz"), arrays(tmp_path / "rank2.npz")
    module = program()
    alone = {n: np.array(a) for n, a in module.equal(False, tmp_path).parameters.items()}
    for name, array in alone.items():
        np.testing.assert_array_equal(first[name], last[name])
        np.testing.assert_allclose(first[name], array, rtol=2e-4, atol=2e-6)


@pytest.mark.slow
def test_ranks_without_a_seed_agree_and_so_do_their_statistics(tmp_path: Path) -> None:
    case("states", tmp_path)
    first, second = arrays(tmp_path / "rank0.npz"), arrays(tmp_path / "rank1.npz")
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


@pytest.mark.slow
def test_all_ranks_hear_of_a_divergence_of_one(tmp_path: Path) -> None:
    case("diverges", tmp_path)
    for rank in (0, 1):
        assert "diverged in epoch" in (tmp_path / f"rank{rank}.txt").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("other data", "the number of samples differs: 200 on rank 0, 201 on rank 1"),
        ("small batch", "divided among 2 ranks"),
    ],
)
def test_all_ranks_get_the_same_error(tmp_path: Path, name: str, message: str) -> None:
    case(name, tmp_path)
    for rank in (0, 1):
        assert message in (tmp_path / f"rank{rank}.txt").read_text()


@pytest.mark.parametrize("name", ["fails", "killed"])
def test_a_rank_that_ends_ends_all(tmp_path: Path, name: str) -> None:
    begun = time.monotonic()
    done = case(name, tmp_path)
    assert done.returncode != 0 and time.monotonic() - begun < 60
    assert not list(tmp_path.glob("*.txt"))
    if name == "fails":
        assert "rank 1 has had enough" in done.stderr and "Rank 1 of 2 ended with an error" in done.stderr


def test_a_stop_on_one_rank_is_a_stop_on_all(tmp_path: Path) -> None:
    case("stops", tmp_path)
    assert [(tmp_path / f"rank{rank}.txt").read_text() for rank in (0, 1)] == ["2", "2"]


@pytest.mark.slow
def test_a_checkpoint_goes_on_with_another_number_of_ranks(tmp_path: Path) -> None:
    case("checkpoint", tmp_path)
    case("resume", tmp_path, ranks=1)
    module = program()
    X, y = module.data()
    alone = module.perceptron().fit(X, y, **{**module.COMMON, "epochs": 4})
    found = arrays(tmp_path / "rank0.npz")
    for name, array in alone.parameters.items():
        np.testing.assert_allclose(found[name], array, rtol=2e-4, atol=2e-6)
    assert len(found["loss"]) == 4


@pytest.mark.slow
def test_the_command(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in rng.normal(size=(200, 2))]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    train = [
        "-m",
        "chainrule",
        "train",
        str(tmp_path / "t.csv"),
        "-t",
        "y",
        "--epochs",
        "3",
        "--hidden",
        "8",
        "--distributed",
    ]
    done = run(*train, "-m", str(tmp_path / "m.chainrule"))
    assert done.returncode == 0 and done.stdout.count("Test part") == 1, done.stderr
    assert chainrule.load(tmp_path / "m.chainrule").network.parameters.count > 0
    done = run("-m", "chainrule", "train", str(tmp_path / "nothing.csv"), "-t", "y", "--distributed")
    assert done.returncode != 0 and "nothing.csv" in done.stderr and "Traceback" not in done.stderr
