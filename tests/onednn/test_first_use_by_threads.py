"""Threads that begin their first fits together share one set of kernels."""

from __future__ import annotations

import threading
import time

import pytest

from chainrule.engine.kernels import library
from chainrule.engine.onednn import library as onednn


@pytest.mark.parametrize(("module", "name", "maker", "use"), [
    (library, "_library", "KernelLibrary", library.kernels),
    (onednn, "_open", "_choose", onednn.open_library),
])  # fmt: skip
def test_made_once(monkeypatch, module, name, maker, use):
    made = []

    def slow():
        time.sleep(0.05)
        made.append(object())
        return made[-1]

    monkeypatch.setattr(module, name, None)
    monkeypatch.setattr(module, maker, slow)
    found = []
    threads = [threading.Thread(target=lambda: found.append(use())) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(made) == 1 and found == made * 4
