"""What ``chainrule.load`` gives takes data in every form that people have them in, and scores them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule.data import Table, read_table
from chainrule.errors import DataError, DtypeError, ParameterError, ShapeError, TableError
from chainrule.tasks import TableSettings, all_tasks
from chainrule.tasks.tables import TASK as TABLES

ROWS = [
    {"age": 70.0, "town": "Rome", "shop": "a"},
    {"age": 20.0, "town": "Oslo", "shop": "b"},
    {"age": None, "town": "Oslo", "shop": "b"},
]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("people") / "people.csv"
    rng = np.random.default_rng(0)
    lines = ["age,town,shop,bought"]
    for i in range(160):
        age, town, shop = rng.uniform(18, 80), ["Rome", "Oslo"][i % 2], "ab"[i % 3 == 0]
        lines.append(f"{'' if i % 20 == 3 else round(age, 1)},{town},{shop},{'yes' if age > 50 else 'no'}")
    place.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def model(people: Path) -> Any:
    settings = TableSettings(data=people, target="bought", hidden=(16,), epochs=60, learning_rate=0.02)
    TABLES.prepare(TABLES.read(settings), settings).train().model.save(people.with_suffix(".chainrule"))
    return chainrule.load(people.with_suffix(".chainrule"))


def test_raw_data_are_preprocessed_as_in_training(model: Any, people: Path) -> None:
    """The network alone would be right by chance: it takes standardised numbers."""
    assert model.score(people) > 0.9
    assert model.predict(people).shape == (160,)


def test_every_form_of_a_table_is_the_same_table(model: Any, people: Path) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    table = read_table(people, kinds=model.preprocessor.kinds_)
    expected = model.predict_proba(people)
    columns = {name: table.column(name).values for name in ("shop", "town", "age")}  # in another order, without the target
    forms = {
        "path": str(people),
        "table": table,
        "dict": columns,
        "lists": {name: list(values) for name, values in columns.items()},
        "records": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)],
        "array": np.stack([columns[name].astype(object) for name in ("age", "town", "shop")], axis=1),
        "pandas": pandas.read_csv(people),
        "polars": polars.read_csv(people),
    }
    for name, data in forms.items():
        np.testing.assert_allclose(model.predict_proba(data), expected, err_msg=name)


def test_labels_numbers_and_probabilities(model: Any) -> None:
    assert model.predict(ROWS[:2]).tolist() == ["yes", "no"]
    p = model.predict_proba(ROWS)
    assert p.shape == (3, 2) and model.classes == ["no", "yes"] and model.labels.tolist() == ["no", "yes"]
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert model.network.parameters.count > 0 and "bought" in repr(model)


def test_evaluate_with_the_truth_inside_or_beside(model: Any, people: Path) -> None:
    found = model.evaluate(people)
    assert set(found) == {"accuracy", "log_loss", "macro_f1", "roc_auc"} and found["accuracy"] == model.score(people)
    table = read_table(people)
    without = Table({name: column for name, column in table.columns.items() if name != "bought"})
    assert model.evaluate(without, table.column("bought").values) == found
    with pytest.raises(DataError, match=r"no column 'bought'.*Pass evaluate"):
        model.evaluate(without)
    with pytest.raises(ShapeError):
        model.evaluate(without, ["yes"])
    with pytest.raises(DataError, match="'maybe'"):
        model.evaluate(without, ["maybe"] * 160)


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        (3, DtypeError, "Expected a table"),
        ([], DtypeError, "Expected a table"),
        (np.zeros((2, 5)), ShapeError, "must have the 3 columns"),
        (np.zeros(3), DtypeError, "Expected a table"),
        ({"age": 3, "town": "Rome", "shop": "a"}, TableError, "must be a list"),
        ({"age": [1, 2], "town": ["Rome"], "shop": ["a"]}, ShapeError, "different lengths"),
        ({"age": [1], "town": ["Rome"]}, TableError, "'shop'"),
        ({"age": ["old"], "town": ["Rome"], "shop": ["a"]}, TableError, "'age'"),
        ({"age": [[1, 2]], "town": ["Rome"], "shop": ["a"]}, TableError, "'age'"),
        ({}, TableError, "0 columns"),
        ("no-such-file.csv", TableError, "no such file"),
    ],
)
def test_bad_data_are_one_clear_error(model: Any, data: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        model.predict(data)


def test_ways_of_reading_are_for_files(model: Any, people: Path) -> None:
    with pytest.raises(ParameterError, match="delimiter says how a file is read"):
        model.predict(ROWS, delimiter=";")
    with pytest.raises(ParameterError, match="delimeter"):
        model.predict(people, delimeter=";")


def test_settings_are_checked_and_frozen(people: Path) -> None:
    for wrong in ({"epochs": 0}, {"hidden": (0,)}, {"test_fraction": 1.0}, {"seed": -1}, {"weight_decay": -1.0}):
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            TableSettings(data=people, target="bought", **wrong)
    with pytest.raises(ParameterError, match="Did you mean 'adam"):
        TableSettings(data=people, target="bought", optimizer="adma")
    with pytest.raises(ParameterError, match="--test"):
        TableSettings(data=people, target="bought", test=people, test_fraction=0.2)
    with pytest.raises(AttributeError):
        TableSettings(data=people, target="bought").epochs = 3  # type: ignore[misc]


def test_own_validation_and_test_data(people: Path) -> None:
    settings = TableSettings(data=people, target="bought", validation=people, test=people, epochs=2, hidden=())
    parts = TABLES.read(settings)
    assert (parts.train.n_rows, parts.validation.n_rows, parts.test.n_rows) == (160, 160, 160)
    prepared = TABLES.prepare(parts, settings)
    trained = prepared.train()
    assert len(trained.history["val_loss"]) == 2
    assert trained.model.score(prepared.test) == trained.model.score(people)


def test_texts_and_pictures_by_one_call(tmp_path: Path) -> None:
    models = Path(__file__).parents[1] / "data" / "models"
    texts = chainrule.load(models / "texts.chainrule")
    assert texts.predict(["a good film", "a bad film"]).tolist() == ["positive", "negative"]
    assert texts.predict("a good film").tolist() == ["positive"]
    assert texts.predict({"review": ["a bad film"]}).tolist() == ["negative"]
    assert texts.predict(np.array(["a bad film"])).tolist() == ["negative"]
    assert texts.score(["a good film", "a bad film"], ["positive", "negative"]) == 1.0
    assert texts.evaluate([{"review": "a good film", "label": "positive"}])["accuracy"] == 1.0
    with pytest.raises(TableError, match="no column 'review'"):
        texts.predict({"revew": ["a bad film"]})
    pictures = chainrule.load(models / "pictures.chainrule")
    light = np.full((3, 6, 6), 200, np.uint8)
    assert pictures.predict(light).tolist() == ["light"] * 3 and pictures.predict(light[0]).tolist() == ["light"]
    assert pictures.score(light, ["light"] * 3) == 1.0
    with pytest.raises(ShapeError, match="is not resized"):
        pictures.predict(np.zeros((2, 7, 7), np.uint8))
    with pytest.raises(DataError, match="have no classes"):
        pictures.score(light)
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.full((20, 30), 210, np.uint8)).save(tmp_path / "a.png")
    assert pictures.predict(tmp_path / "a.png").tolist() == ["light"]
    assert pictures.predict([tmp_path / "a.png", str(tmp_path / "a.png")]).tolist() == ["light"] * 2


def test_numbers_have_no_probabilities() -> None:
    model = chainrule.load(Path(__file__).parents[1] / "data" / "models" / "numbers.chainrule")
    assert model.predict({"a": [0.0], "b": [0.0]})[0] == pytest.approx(100, abs=15)
    assert set(model.evaluate({"a": [0.0, 1.0], "b": [0.0, 1.0], "price": [100.0, 120.0]})) == {"r2", "rmse", "mae"}
    with pytest.raises(AttributeError, match="predicts numbers"):
        model.predict_proba({"a": [0.0], "b": [0.0]})


def test_tasks_do_not_know_each_other() -> None:
    """Each folder is a task; what several need stands beside the folders."""
    import ast

    folders = {task.name: Path(chainrule.__file__).parent / "tasks" / task.name for task in all_tasks()}
    assert set(folders) >= {"tables", "pictures", "texts", "text_generation", "translation"}
    for name, folder in folders.items():
        for file in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.level == 2:
                    assert (node.module or "").split(".")[0] not in folders, (name, file, node.module)


def test_a_new_task_is_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    """A folder laid beside the others is found, its options are on the command line, and its files are loaded."""
    import subprocess
    import sys

    folder = tmp_path / "middles"
    folder.mkdir()
    (folder / "__init__.py").write_text(NEW_TASK, encoding="utf-8")
    code = (
        "import chainrule.tasks as t; t.__path__.append(PLACE);"
        "from chainrule.cli.main import main; import chainrule, sys; from pathlib import Path;"
        "Path('n.numbers').write_text('1 2 3 4 5');"
        "assert main(['train', 'n.numbers', '--robust', '-m', 'n.chainrule', '--epochs', '1', '-q']) == 0;"
        "print(type(chainrule.load('n.chainrule')).__name__, chainrule.load('n.chainrule').predict(['7']).shape);"
        "assert main(['train', 't.csv', '-t', 'y', '--robust']) == 2;"
        "assert main(['diagnose', 'n.chainrule', 'n.numbers']) == 2"
    ).replace("PLACE", repr(str(tmp_path)))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "Middle (1,)", (done.stdout, done.stderr)
    assert "--robust is for middles, but t.csv is read as a table" in done.stderr
    assert "A model of middles cannot be trained further" in done.stderr and "Traceback" not in done.stderr


NEW_TASK = '''
"""Middles: the mean of some numbers is learned."""
from dataclasses import dataclass
from chainrule.tasks.option import option
from chainrule.tasks.settings import TrainingSettings
from chainrule.tasks.task import PreparedNetwork, Task

@dataclass(frozen=True, kw_only=True)
class MiddleSettings(TrainingSettings):
    robust: bool = option(False, bool, "Learn the median.")

class Middles(Task):
    name, noun, file_key, settings = "middles", ("number", "numbers"), "middle", MiddleSettings
    how = "Numbers stand in a file named .numbers."

    def recognises(self, data, given):
        return 5 if data.suffix == ".numbers" else 0

    def read(self, settings):
        return [float(word) for word in settings.data.read_text().split()]

    def prepare(self, data, settings):
        import numpy as np
        from chainrule import Dense, Network
        from chainrule.training.settings import FitSettings
        X, y = np.zeros((len(data), 1), np.float32), np.array(data, np.float32)[:, None]
        loss = "absolute_error" if settings.robust else "squared_error"
        fit = FitSettings.of({"epochs": settings.epochs or 20, "loss": loss})
        network = Network([Dense(1)], random_state=0)
        return PreparedNetwork(self, "middles", network, (X, y), fit, lambda n, facts: self.model()(n), "middles", len(data),
                               description=[("Data", "some numbers")])

    def model(self):
        import numpy as np
        from chainrule.tasks.scores import Prediction
        from chainrule.tasks.task_model import Samples, TaskModel

        class Middle(TaskModel):
            file_key, noun, target, labels, network = "middle", ("number", "numbers"), "middle", None, None

            def __init__(self, network):
                self.network, self.facts = network, {}

            def read(self, data, y=None, **reading):
                return Samples(np.zeros((len(data), 1), np.float32), len(data), dict)

            def prediction(self, samples):
                return Prediction(self.network.predict(samples.data)[:, 0])

            def state(self):
                return {"middle": {"facts": {}}}

            @classmethod
            def from_state(cls, network, extra, place):
                return cls(network)

            def description(self):
                return []

        return Middle

TASK = Middles()
'''
