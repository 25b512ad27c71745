"""The report of a diagnosis: one file, everything escaped, pictures of what was measured."""

from __future__ import annotations

import io
import math
import pickle
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from chainrule import Dense, Network, ReLU, Sigmoid, Tanh
from chainrule.diagnosis import Change, Diagnosis, Finding, Threshold
from chainrule.errors import MissingDependencyError, ParameterError
from chainrule.report import DiagnosisReport
from chainrule.report.plots import Histogram, z_histograms

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 5)).astype(np.float32)
y = (X[:, 0] > 0).astype(int)
EVIL = "<script>alert('x')</script> $\\frac & \"q\" {{ 7*7 }}"


class Page(HTMLParser):
    """The tags of a page, and whether each that opens is closed."""

    VOID = ("meta", "br", "img", "hr", "link", "input", "path", "use", "rect", "circle", "line")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open and self.open[-1] == tag, (tag, self.open[-3:])
            self.open.pop()

    def handle_data(self, data):
        self.texts.append(data)


def deep():
    return Network([layer for _ in range(5) for layer in (Dense(12), Sigmoid())] + [Dense(2)], random_state=0)


@pytest.fixture(scope="module")
def page():
    net = deep().fit(X, y, optimizer="sgd", learning_rate=0.05, epochs=20, verbose=0)
    cure = net.cure(X, y, changes=[Change("activation", {"to": "relu"}), Change("optimizer", {"name": "adam"})], verbose=0)
    report = net.report(X, y, diagnosis=net.diagnose(X, y), cure=cure, title=EVIL)
    return report, report.html()


def test_one_file_that_loads_nothing_and_runs_nothing(page):
    _, text = page
    parsed = Page(text)
    assert parsed.open == []
    names = [tag for tag, _ in parsed.tags]
    assert not {"script", "link", "iframe", "object", "img"} & set(names)
    for _, attributes in parsed.tags:
        for key, value in attributes.items():
            assert not key.startswith("on")
            if key in ("href", "src", "xlink:href"):
                assert value.startswith(("#", "data:image/png;base64,"))  # the scale of colours
    assert "url(http" not in text and "@import" not in text
    assert text.startswith("<!DOCTYPE html>") and 'name="viewport"' in text


def test_it_has_every_part(page):
    report, text = page
    assert names_of(text) >= {"What was found", "The cure", "What was measured"}
    assert text.count("<svg") == 7  # paired run, loss, heat map, chain, dead units, histograms
    d = report.diagnosis
    for finding in d.findings:
        assert finding.code in text
    assert report.cure.improved and 'class="add"' in text and "Sigmoid()" in text
    assert d.cause.paper.split(";")[0].split(",")[0] in text


def names_of(text):
    return set(re.findall(r"<h2>(.*?)</h2>", text))


def test_everything_from_users_is_escaped():
    finding = Finding(
        EVIL, EVIL, EVIL, where=EVIL, layers=(EVIL, EVIL), evidence={EVIL: 1.0}, threshold=Threshold(1.0, EVIL, EVIL),
        equation=EVIL, cause=EVIL, explanation=EVIL, paper=EVIL, changes=(Change("data", {"advice": EVIL}),),
    )  # fmt: skip
    wrapped = finding.explaining((finding,))
    diagnosis = Diagnosis([wrapped], [finding], evidence={EVIL: 2.0}, errors={EVIL: EVIL}, history={"loss": [1.0, 0.5]})
    text = DiagnosisReport(diagnosis, title=EVIL).html()
    parsed = Page(text)
    assert "script" not in [tag for tag, _ in parsed.tags] and "alert(" in text
    assert "{{ 7*7 }}" in "".join(parsed.texts) and "49" not in re.sub(
        r"<svg.*?</svg>|<style.*?</style>", "", text, flags=re.S
    )


def test_names_of_layers_are_escaped_in_pictures():
    net = Network([Dense(8).named(EVIL), ReLU().named("a$b$ & <i>"), Dense(2)], random_state=0)
    net.fit(X, y, epochs=3, verbose=0)
    text = net.report(X, y).html()
    assert Page(text).open == [] and "<script>" not in text and "<i>" not in text


def test_before_any_fit_and_without_a_network(tmp_path):
    net = deep()
    report = net.report(X, y, epochs=3)
    assert not net.built and "<svg" in report.html()
    bare = Diagnosis().report(tmp_path / "bare.html")
    assert "Healthy" in bare.html() and (tmp_path / "bare.html").read_text(encoding="utf-8").startswith("<!DOCTYPE")
    assert Diagnosis()._repr_html_().startswith('<div class="chainrule-report">')
    with pytest.raises(ParameterError, match="a diagnosis, a cure"):
        DiagnosisReport()


def test_numbers_that_are_not_finite():
    net = Network([Dense(8), ReLU(), Dense(1)], random_state=0)
    target = X[:, :1].astype(float)
    found = net.diagnose(X, target, optimizer="sgd", learning_rate=1e12, epochs=3)
    assert Page(net.report(X, target, diagnosis=found).html()).open == []
    loss = Diagnosis(history={"loss": [1.0, math.inf, math.nan]}, evidence={"a": math.nan, "b": math.inf})
    assert "<svg" in DiagnosisReport(loss).html()
    spoiled = X.copy()
    spoiled[0, 0] = np.nan
    assert "non-finite-data" in net.diagnose(spoiled, target)
    assert Page(net.report(spoiled, target).html()).open == []


def test_terminal(page):
    from rich.console import Console

    report, _ = page
    for width in (40, 120):
        console = Console(width=width, record=True, file=io.StringIO(), highlight=False)
        report.print(console)
        text = console.export_text()
        assert report.diagnosis.cause.code in text and "The chain of gains" in text and "+" in text
        assert max(map(len, text.split("\n"))) <= width


def test_a_cure_alone_and_one_that_changed_nothing():
    net = Network([Dense(8), ReLU(), Dense(2)], random_state=0)
    cure = net.cure(X, y, epochs=20, learning_rate=0.05, changes=[Change("clip", {"norm": 1e9})], verbose=0)
    text = cure.report().html()
    assert not cure.improved and "stays as it was" in text and "clip the norm" in text
    assert cure._repr_html_().startswith("<div")


def test_files(tmp_path):
    report = DiagnosisReport(Diagnosis())
    for path, words in (("a.txt", "named .html"), ("missing/a.html", "does not exist")):
        with pytest.raises(ParameterError, match=words):
            report.save(tmp_path / path)
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(ParameterError, match="cannot be written"):
        report.save(tmp_path / "folder.html")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.html"]  # nothing half-written is left


def test_without_jinja(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "jinja2" else find(name, *rest))
    with pytest.raises(MissingDependencyError, match=r"chainrule\[report\]"):
        DiagnosisReport(Diagnosis()).html()
    assert "healthy" in str(DiagnosisReport(Diagnosis()))


def test_live_zones_and_histograms():
    low, high = Sigmoid().curve().live
    assert low == pytest.approx(-high) and high == pytest.approx(math.log(19 + math.sqrt(360)), abs=1e-2)
    assert Tanh().curve().live[1] == pytest.approx(math.atanh(math.sqrt(0.9)), abs=1e-2)
    live = ReLU().curve().live
    assert live[1] == math.inf and 0 <= live[0] < 0.01
    h = Histogram("a", "ReLU", np.array([-1.0, -2.0, 3.0, np.nan]), live)
    assert h.inside == pytest.approx(1 / 3) and h.not_finite == 0.25
    assert Histogram("a", "Tanh", np.zeros(5)).counts.sum() == 5
    net = deep()
    net.build(5)
    found = z_histograms(net, X)
    assert [f.layer for f in found] == [f"{i}.sigmoid" for i in (1, 3, 5, 7, 9)]
    assert all(f.counts.sum() > 0.99 * 200 * 12 for f in found)


def test_the_page_of_a_diagnosis_alone_shows_what_activations_are_given() -> None:
    """The diagnosis keeps what it looked at, and neither its copies nor pickles carry the samples."""
    X = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    found = Network([Dense(8), Sigmoid(), Dense(1)], random_state=0).diagnose(X, X[:, :1], epochs=3)
    assert "What the activations are given" in found.report().html()
    assert pickle.loads(pickle.dumps(found)).subject is None
