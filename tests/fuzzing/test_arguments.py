"""A short run of calls with hostile arguments."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_hostile_arguments_are_refused_by_one_message() -> None:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "arguments.py"), "--rounds", "60"],
        capture_output=True, text=True, timeout=600, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "60 calls, 0 faults" in done.stdout, done.stdout[-4000:] + done.stderr[-2000:]
