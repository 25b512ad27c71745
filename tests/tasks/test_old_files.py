"""Model files that earlier versions wrote keep loading, and predict what they predicted then.

``tests/data/models`` holds one file of each kind, written before the models of the command stood in ``chainrule.tasks``, and
``expected.json`` with what each predicted when it was written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule import Network, NeuralClassifier
from chainrule.errors import ModelFileError
from chainrule.tasks import PictureModel, TableModel, TextGenerator, TextModel, Translator

MODELS = Path(__file__).parents[1] / "data" / "models"
EXPECTED = json.loads((MODELS / "expected.json").read_text(encoding="utf-8"))
KINDS = {
    "table": TableModel,
    "numbers": TableModel,
    "texts": TextModel,
    "pictures": PictureModel,
    "generator": TextGenerator,
    "translator": Translator,
    "estimator": NeuralClassifier,
    "network": Network,
}


def rows(name: str) -> Any:
    given = EXPECTED[name]["rows"]
    return (
        np.array(given, np.uint8) if name == "pictures" else np.array(given) if name in ("estimator", "network") else given
    )


@pytest.mark.parametrize("name", KINDS)
def test_load_gives_what_the_file_holds(name: str) -> None:
    model = chainrule.load(MODELS / f"{name}.chainrule")
    assert type(model) is KINDS[name] and isinstance(model.network, Network)


@pytest.mark.parametrize("name", ["table", "numbers", "texts", "pictures", "estimator", "network"])
def test_predictions_are_those_of_then(name: str) -> None:
    model = chainrule.load(MODELS / f"{name}.chainrule")
    found = model.predict(rows(name))
    if found.dtype.kind == "f":
        np.testing.assert_allclose(found, np.array(EXPECTED[name]["values"]), rtol=1e-5)
    else:
        assert found.tolist() == EXPECTED[name]["values"]
    if EXPECTED[name].get("probabilities") is not None:
        np.testing.assert_allclose(model.predict_proba(rows(name)), EXPECTED[name]["probabilities"], atol=1e-6)


@pytest.mark.parametrize("name", ["table", "numbers", "texts", "pictures", "translator", "generator"])
def test_saved_again_they_are_the_same(name: str, tmp_path: Path) -> None:
    model = chainrule.load(MODELS / f"{name}.chainrule")
    model.save(tmp_path / "again.chainrule")
    again = chainrule.load(tmp_path / "again.chainrule")
    assert type(again) is type(model)
    if name in EXPECTED and name not in ("translator", "generator"):
        np.testing.assert_array_equal(again.predict(rows(name)), model.predict(rows(name)))
        assert again.description() == model.description()


def test_a_translator_translates(name: str = "translator") -> None:
    assert chainrule.load(MODELS / f"{name}.chainrule").translate(rows(name)) == EXPECTED[name]["values"]


def test_a_class_loads_its_own_files_only() -> None:
    assert isinstance(TableModel.load(MODELS / "table.chainrule"), TableModel)
    with pytest.raises(ModelFileError, match=r"holds no TableModel. chainrule.load gives what it holds"):
        TableModel.load(MODELS / "texts.chainrule")


@pytest.mark.parametrize("key", ["table", "images", "texts", "translator", "text generator", "estimator"])
@pytest.mark.parametrize("held", [None, 3, "text", [], {}, {"format": "x"}, {"format": 99}])
def test_a_foreign_part_of_a_file_is_one_clear_error(key: str, held: Any, tmp_path: Path) -> None:
    network = Network([chainrule.Dense(2)], random_state=0)
    network.build(3)
    place = tmp_path / "m.chainrule"
    network.save(place, extra={key: held})
    if key == "estimator" and not isinstance(held, dict):
        assert isinstance(chainrule.load(place), Network)
        return
    with pytest.raises(ModelFileError, match="The model file"):
        chainrule.load(place)
