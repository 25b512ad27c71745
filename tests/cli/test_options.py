"""Every option of every command is used or refused by its name; none is accepted and ignored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.cli.compression import prepared_for_compression
from chainrule.cli.main import main
from chainrule.cli.options import options_for
from chainrule.errors import ChainruleError
from chainrule.tasks.option import Use, flag
from chainrule.tasks.settings import TrainingSettings
from chainrule.tasks.task import all_tasks

#: Where an option names numbers as texts, the data warn that there is little to read in them.
pytestmark = pytest.mark.filterwarnings("ignore::chainrule.data.unknown.UnknownValuesWarning")

MODELS = Path(__file__).parents[1] / "data" / "models"
#: For each option a value that is not its default.
VALUES = {
    "validation": "{data}", "test": "{data}", "epochs": "3", "batch_size": "7", "learning_rate": "0.02", "optimizer": "sgd",
    "weight_decay": "1000", "test_fraction": "0.4", "validation_fraction": "0.3", "patience": "2", "seed": "7",
    "engine": "reference", "threads": "1", "precision": "float64", "target": "{target}", "hidden": "3", "activation": "tanh",
    "loss": "{loss}", "task": "classification", "delimiter": ",", "encoding": "utf-8", "decimal": ".", "thousands": "none",
    "na_values": "nothing", "no_default_na": None, "no_header": None,
    "comment": "#", "day_first": "yes", "max_memory": "1GB", "exclude": "b",
    "keep": "b", "text": "{text}", "tokenizer": "characters", "size": "6", "fit": "crop", "channels": "1",
    "augment": "none", "network": "lenet5", "broken": "skip", "pretrained": "{body}", "fine_tune": None, "distributed": None,
    "width": "16", "balanced": None, "wrong_boxes": "skip", "frames": "8", "every": "2", "rate": "8000", "units": "words",
    "mels": "16", "window": "0.5", "height": "16", "synthetic": "5", "sigma": "15:50", "factor": "3", "colours": "mean",
    "depth": "3", "patch": "20", "patches": "40", "spoil": None, "page_width": "64", "reader": "{body}",
    "mirrored": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table, texts, pictures in folders and in an .npz file, a Parquet table, and a model of each task."""
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path_factory.mktemp("options")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    rows = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in x]
    (folder / "t.csv").write_text("\n".join(["a,b,kind", *rows]) + "\n", encoding="utf-8")
    texts = [f"{'good fine' if i % 2 else 'bad dull'} film {i % 5},{'up' if i % 2 else 'down'}" for i in range(60)]
    (folder / "r.csv").write_text("\n".join(["review,mood", *texts]) + "\n", encoding="utf-8")
    for name, light in (("dark", 60), ("light", 190)):
        (folder / "p" / name).mkdir(parents=True)
        for i in range(20):
            pixels = rng.normal(light, 30, (12, 12)).clip(0, 255).astype(np.uint8)
            image.fromarray(pixels).save(folder / "p" / name / f"{i}.png")
    (folder / "photos").mkdir()
    for i in range(8):
        image.fromarray(rng.integers(0, 256, (24, 20, 3), np.uint8)).save(folder / "photos" / f"{i}.png")
    np.savez(folder / "p.npz", images=rng.integers(0, 256, (40, 12, 12), np.uint8), labels=np.arange(40) % 2)
    assert (
        main(["train", str(folder / "t.csv"), "-t", "kind", "--epochs", "2", "-q", "-m", str(folder / "t.chainrule")]) == 0
    )
    more = ["--text", "review", "--epochs", "2", "-q", "-m", str(folder / "r.chainrule")]
    assert main(["train", str(folder / "r.csv"), "-t", "mood", *more]) == 0
    assert main(["train", str(folder / "p"), "--epochs", "2", "-q", "-m", str(folder / "p.chainrule")]) == 0
    return folder


#: The options without which a kind of data cannot be learned, its target, its column of texts and a loss that it can have.
KINDS = {
    "t.csv": (["--target", "kind"], "kind", "a", "softmax_cross_entropy"),
    "r.csv": (["--target", "mood", "--text", "review"], "mood", "review", "softmax_cross_entropy"),
    "p": ([], "kind", "a", "hinge"),
    "p.npz": ([], "kind", "a", "hinge"),
    "photos": (["--task", "denoise", "--patches", "16", "--depth", "2"], "kind", "a", "hinge"),
}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The names of the settings that the code read after they were checked."""
    seen: set[str] = set()
    made: dict[type, type] = {}

    def recording(kind: type) -> type:
        def look_up(self: Any, name: str) -> Any:
            seen.add(name)
            return object.__getattribute__(self, name)

        return made.setdefault(kind, type(kind.__name__, (kind,), {"__getattribute__": look_up}))

    original: Callable[..., Any] = TrainingSettings.typed.__func__  # type: ignore[attr-defined]

    def typed(cls: type, *arguments: Any) -> Any:
        settings = original(cls, *arguments)
        object.__setattr__(settings, "__class__", recording(cls))
        return settings

    monkeypatch.setattr(TrainingSettings, "typed", classmethod(typed))
    yield seen


def spelled(name: str, data: Path, kind: str) -> list[str]:
    _, target, text, loss = KINDS[kind]
    value = VALUES[name]
    if value is None:
        return [flag(name)]
    body = data.with_name({"r.csv": "r.chainrule"}.get(kind, "p.chainrule"))
    return [flag(name), value.format(data=data, target=target, text=text, loss=loss, body=body)]


def outcome(capfd: Any, arguments: list[str]) -> tuple[int, str]:
    capfd.readouterr()
    code = main(arguments)
    return code, capfd.readouterr().err


def has_effect(name: str, said: str) -> bool:
    """Without a line of names the columns get names of their own, among which the target is not."""
    return name == "no_header" and "'column_1'" in said


def test_there_is_a_value_for_every_option() -> None:
    assert set(options_for(*Use)) == set(VALUES)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", VALUES)
def test_train(place: Path, kind: str, name: str, read: set[str], capfd: Any, tmp_path: Path) -> None:
    data = place / kind
    own = KINDS[kind][0]
    given = [] if flag(name) in own else spelled(name, data, kind)
    model = tmp_path / "m.chainrule"
    epochs = [] if name == "epochs" else ["--epochs", "1"]
    read.clear()
    code, said = outcome(capfd, ["train", str(data), *own, *epochs, *given, "-q", "-m", str(model)])
    refused = code == 2 and flag(name) in said and not model.exists()
    used = name in read and ((code == 0 and model.exists()) or has_effect(name, said))
    assert refused or used, (code, said, sorted(read))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [name for name, option in options_for(Use.DIAGNOSE).items()])
def test_diagnose_data(place: Path, kind: str, name: str, read: set[str], capfd: Any) -> None:
    data = place / kind
    own = KINDS[kind][0]
    given = [] if flag(name) in own else spelled(name, data, kind)
    epochs = [] if name == "epochs" else ["--epochs", "1"]
    read.clear()
    code, said = outcome(capfd, ["diagnose", str(data), *own, *epochs, *given, "--exit-zero", "--json", "-"])
    used = name in read and (code == 0 or has_effect(name, said))
    assert (code == 2 and flag(name) in said) or used, (code, said, sorted(read))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["t.csv", "r.csv", "p"])
@pytest.mark.parametrize("name", [name for name, option in options_for(Use.DIAGNOSE, Use.RESUME).items()])
def test_diagnose_a_model(place: Path, kind: str, name: str, read: set[str], capfd: Any) -> None:
    data = place / kind
    read.clear()
    model = str((place / kind.split(".")[0]).with_suffix(".chainrule"))
    given = spelled(name, data, kind)
    code, said = outcome(capfd, ["diagnose", model, str(data), *given, "--exit-zero", "--json", "-"])
    used = name in read and (code == 0 or has_effect(name, said))
    assert (code == 2 and flag(name) in said) or used, (code, said, sorted(read))


@pytest.mark.parametrize("kind", ["t.csv", "r.csv", "p"])
@pytest.mark.parametrize("name", [name for name, option in options_for(Use.COMPRESS).items()])
def test_making_a_model_smaller(place: Path, kind: str, name: str, read: set[str]) -> None:
    options, (_, target, text, loss) = options_for(Use.COMPRESS), KINDS[kind]
    value: Any = VALUES[name]
    value = True if value is None else value.format(data=place / kind, target=target, text=text, loss=loss)
    typed = [value] if options[name].kind is list else value if isinstance(value, bool) else options[name].kind(value)
    read.clear()
    try:
        prepared_for_compression((place / kind.split(".")[0]).with_suffix(".chainrule"), place / kind, {name: typed})
    except ChainruleError as error:
        assert flag(name) in str(error) or has_effect(name, str(error))
        return
    assert name in read


@pytest.mark.slow
@pytest.mark.parametrize("name", ["seed", "weight_decay", "learning_rate", "optimizer", "batch_size"])
@pytest.mark.parametrize("kind", ["t.csv", "r.csv", "p"])
def test_an_option_changes_the_diagnosis_of_a_model(place: Path, kind: str, name: str, capfd: Any) -> None:
    model, data = str((place / kind.split(".")[0]).with_suffix(".chainrule")), place / kind

    def told(*given: str) -> str:
        capfd.readouterr()
        assert main(["diagnose", model, str(data), "--exit-zero", *given]) == 0
        return str(capfd.readouterr().out)

    assert told() == told()
    assert told() != told(*spelled(name, data, kind))


@pytest.mark.parametrize(
    ("option", "value"), [("--weight-decay", "-5"), ("--seed", "-1"), ("--epochs", "0"), ("--threads", "0")]
)
def test_a_model_refuses_bad_values(place: Path, option: str, value: str, capfd: Any) -> None:
    code, said = outcome(capfd, ["diagnose", str(place / "t.chainrule"), str(place / "t.csv"), option, value])
    assert code == 2 and option in said


@pytest.mark.parametrize("kind", ["t.csv", "r.csv", "p"])
@pytest.mark.parametrize("name", [name for name, option in options_for(Use.PREDICT).items()])
def test_predict(place: Path, kind: str, name: str, capfd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.tasks.task_model import TaskModel

    handed: dict[str, Any] = {}
    for task in all_tasks():
        if task.settings is not None and issubclass(task.model(), TaskModel):
            original = task.model().read

            def read(self: Any, data: Any, y: Any = None, original: Any = original, **reading: Any) -> Any:
                handed.update(reading)
                return original(self, data, y, **reading)

            monkeypatch.setattr(task.model(), "read", read)
    data = place / kind
    model = str((place / kind.split(".")[0]).with_suffix(".chainrule"))
    code, said = outcome(capfd, ["predict", model, str(data), *spelled(name, data, kind), "-q"])
    used = name in handed and (code == 0 or has_effect(name, said))
    assert (code == 2 and flag(name) in said) or used, (code, said, handed)


def test_ways_of_reading_are_for_files_that_are_read_as_text(place: Path, capfd: Any) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"a": [0.5, 1.5] * 10, "kind": ["x", "y"] * 10}), place / "t.parquet")
    code, said = outcome(capfd, ["train", str(place / "t.parquet"), "-t", "kind", "--delimiter", ";"])
    assert code == 2 and "--delimiter is for text files" in said
    code, said = outcome(capfd, ["predict", str(place / "r.chainrule"), "a good film", "--delimiter", ";"])
    assert code == 2 and "delimiter" in said


def test_a_model_remembers_how_its_file_was_written(place: Path, capfd: Any) -> None:
    rows = "\n".join(f"{i},5;{'hoch' if i > 20 else 'tief'}" for i in range(40))
    (place / "komma.csv").write_text(f"wert;art\n{rows}\n", encoding="utf-8")
    (place / "neu.csv").write_text("wert;art\n1,5;tief\n35,5;hoch\n", encoding="utf-8")
    model = str(place / "komma.chainrule")
    given = ["--decimal", ",", "--delimiter", ";", "--na-values", "weg"]
    assert main(["train", str(place / "komma.csv"), "-t", "art", *given, "--hidden", "8", "-q", "-m", model]) == 0
    import chainrule

    loaded = chainrule.load(model)
    assert loaded.reading == {"delimiter": ";", "decimal": ",", "na_values": ["weg"]}
    assert loaded.predict(place / "neu.csv").tolist() == ["tief", "hoch"]
    assert outcome(capfd, ["predict", model, str(place / "neu.csv")])[0] == 0
