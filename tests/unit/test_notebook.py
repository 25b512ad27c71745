"""What a notebook shows: one bar that is updated in place, and tables instead of text."""

from __future__ import annotations

import pickle
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from chainrule import Dense, Network, NeuralClassifier
from chainrule.errors import DivergenceError
from chainrule.training import progress

X = np.linspace(-1, 1, 64, dtype=np.float32).reshape(-1, 1)


class Notebook:
    """Stands for IPython's display: what each cell output holds, and how often it was drawn."""

    def __init__(self) -> None:
        self.outputs: list[str] = []
        self.drawn: list[str] = []

    def display(self, shown: Any, *, display_id: bool = False) -> Any:
        assert display_id
        self.outputs.append(shown)
        place = len(self.outputs) - 1

        def update(other: Any) -> None:
            self.outputs[place] = other
            self.drawn.append(other)

        return SimpleNamespace(update=update)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    found = Notebook()
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    vars(ipython).update(get_ipython=lambda: SimpleNamespace(kernel=object()), display=display)
    vars(display).update(HTML=str, display=found.display)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    return found


def test_one_bar_is_updated_in_place(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    Network([Dense(1)], random_state=0).fit(X, X, epochs=5, engine="reference")
    assert len(notebook.outputs) == 1
    shares = [float(text.split('value="')[1].split('"')[0]) for text in notebook.drawn[:-1]]
    assert len(shares) >= 5 and shares == sorted(shares) and shares[-1] == 1
    assert "<progress" not in notebook.outputs[0] and "epoch 5/5" in notebook.outputs[0]
    assert capsys.readouterr().out == ""
    NeuralClassifier(epochs=2, verbose=1, engine="reference").fit(X, X[:, 0] > 0)
    assert len(notebook.outputs) == 2
    Network([Dense(1)], random_state=0).fit(X, X, epochs=2, engine="reference", verbose=2)
    assert len(notebook.outputs) == 2 and "epoch 2/2" in capsys.readouterr().out


def test_the_bar_goes_away_with_an_error(notebook: Notebook) -> None:
    with pytest.raises(DivergenceError):
        Network([Dense(1)], random_state=0).fit(X, X, epochs=5, learning_rate=1e30, optimizer="sgd", engine="reference")
    assert "<progress" not in notebook.outputs[0]


def test_a_terminal_of_ipython_is_no_notebook(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ipython = ModuleType("IPython")
    vars(ipython).update(get_ipython=lambda: SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    Network([Dense(1)], random_state=0).fit(X, X, epochs=2, engine="reference")
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_summary_is_a_table() -> None:
    net = Network([Dense(3), Dense(1)], random_state=0).build(1)
    found = net.summary()
    assert isinstance(found, str) and "parameters" in found.splitlines()[0]
    html = found._repr_html_()
    assert html.count("<tr>") == 3 and "10 parameters" in html and "<td" in html
    assert pickle.loads(pickle.dumps(found))._repr_html_() == html


def test_names_in_the_summary_are_escaped() -> None:
    class Odd(Dense):
        def __repr__(self) -> str:
            return "<script>alert(1)</script>"

    assert "<script>" not in Network([Odd(1)]).build(1).summary()._repr_html_()


def test_the_rules_of_a_notebook_do_not_break_the_key_column_of_a_report() -> None:
    """JupyterLab floats dt and dd by rules of two elements and a class; these must be more specific."""
    pytest.importorskip("jinja2")
    html = Network([Dense(1)], random_state=0).diagnose(X, X, epochs=2)._repr_html_()
    rule = next(line for line in html.splitlines() if line.startswith(".chainrule-report.chainrule-report dl dt,"))
    for wanted in ("float: none", "width: auto", "white-space: normal", "text-align: left"):
        assert wanted in rule
    assert "grid-template-columns: fit-content(45%) minmax(0, 1fr)" in html
