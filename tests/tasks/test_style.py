"""Style transfer: what is compared, what comes out, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import Conv2D, Dense, Flatten, Input, MaxPool2D, Network, ReLU, load
from chainrule.architectures.squeezenet import squeezenet, squeezenet_weights
from chainrule.cli.main import main
from chainrule.errors import DataError, ModelFileError, NotFittedError, ParameterError, ShapeError, UnknownNameError
from chainrule.images.writing import write_picture
from chainrule.tasks.style.bodies import StyleBody, style_body
from chainrule.tasks.style.style_network import StyleNetwork
from chainrule.tasks.style.transfer import Seen, as_picture, transfer, with_colours_of


def body() -> StyleBody:
    layers = [Conv2D(8, 3, padding=1), ReLU().named("low"), MaxPool2D(2), Conv2D(12, 3, padding=1), ReLU().named("high")]
    return StyleBody(Network(layers, random_state=0).build((32, 32, 3)), ("high",), ("low", "high"), (0.4,) * 3, (0.2,) * 3)


def pictures() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:40, :48] / 48
    content = np.stack([x, y, np.hypot(x - 0.5, y - 0.4) < 0.2], axis=-1)
    stripes = (np.indices((36, 40)).sum(axis=0) // 3 % 2)[..., None] * [0.9, 0.4, 0.1]
    return content.astype(np.float32), stripes.astype(np.float32)


def test_the_objective_falls_and_the_style_comes_nearer() -> None:
    content, style = pictures()
    looks, seen = body(), []
    made = transfer(content, style, looks, steps=30, on_step=lambda n, p, j: seen.append((n, j)), every=10)
    assert made.shape == (40, 48, 3) and made.dtype == np.uint8
    assert [n for n, _ in seen] == [10, 20, 30] and seen[-1][1] < seen[0][1]
    grams = Seen(looks, style.shape)(style)[1:]

    def distance(picture: np.ndarray) -> float:
        found = Seen(looks, picture.shape)(picture)[1:]
        return sum(float(np.square(a - b).mean() / np.square(b).mean()) for a, b in zip(found, grams, strict=True))

    assert distance(made.astype(np.float32) / 255) < 0.5 * distance(content)


def test_features_are_those_of_the_prepared_picture_and_gram_matrices_their_products() -> None:
    content, _ = pictures()
    looks = body()
    high, gram, _ = Seen(looks, content.shape)(content)
    free = Network([*looks.network.layers.values()]).build((40, 48, 3))
    np.testing.assert_allclose(high, free.predict(((content - 0.4) / 0.2)[None]), rtol=1e-4, atol=1e-5)
    low = free.cut("low").predict(((content - 0.4) / 0.2)[None])[0].reshape(-1, 8)
    np.testing.assert_allclose(gram[0], low.T @ low / len(low), rtol=1e-4, atol=1e-5)


def test_colours_are_kept_where_that_is_asked_for() -> None:
    content, style = pictures()
    made = with_colours_of(content, np.full_like(content, 0.5))
    light = made @ [0.299, 0.587, 0.114]
    inside = ((made > 0.001) & (made < 0.999)).all(axis=-1)
    np.testing.assert_allclose(light[inside], 0.5, atol=1e-3)
    assert transfer(content, style, body(), steps=2, keep_colours=True).shape == content.shape


def test_taps_are_the_inner_tensors_of_a_network() -> None:
    net = body().network
    x = Input((32, 32, 3))
    low, high = net.taps("low", "high")(x)
    both = Network(inputs=x, outputs=[low, high]).build((32, 32, 3))
    X = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(both.predict(X)[0], net.cut("low").predict(X))
    np.testing.assert_array_equal(both.predict(X)[1], net.predict(X))
    with pytest.raises(UnknownNameError):
        net.taps("middle")
    with pytest.raises(ParameterError, match="name the layers"):
        net.taps()


def test_squeezenet_takes_the_weights_of_a_file_in_their_order(tmp_path) -> None:
    net = squeezenet(5, input_shape=(64, 64, 3), random_state=0)
    assert sum(name.endswith(".weight") for name in net.parameters) == 26
    order = ["conv1.convolution"]
    for number in range(2, 10):
        order += [f"fire{number}.{part}" for part in ("squeeze", "expand1", "expand3")]
    order.append("conv10.convolution")
    arrays = {}
    for name in order:
        arrays[f"{name}.w"] = net.parameters[f"{name}.weight"].transpose(3, 2, 0, 1)
        arrays[f"{name}.b"] = net.parameters[f"{name}.bias"] + 0.01
    other = squeezenet_weights(squeezenet(5, input_shape=(64, 64, 3), random_state=1), arrays)
    for name in order:
        np.testing.assert_array_equal(other.parameters[f"{name}.weight"], net.parameters[f"{name}.weight"])
    np.savez(tmp_path / "w.npz", **arrays)
    found = style_body(tmp_path / "w.npz")
    kernel = found.network.parameters["conv1.convolution.weight"]
    np.testing.assert_array_equal(kernel, net.parameters["conv1.convolution.weight"][:, :, ::-1])
    with pytest.raises(ModelFileError, match="26 kernels"):
        squeezenet_weights(other, {"a": np.zeros((1, 1, 1, 1))})


def test_what_is_no_picture_is_refused() -> None:
    good = np.zeros((32, 32, 3))
    with pytest.raises(ShapeError, match="content picture is 8"):
        as_picture(good[:8], "content")
    with pytest.raises(ShapeError, match="style picture must be"):
        as_picture(np.zeros((32, 32, 2)), "style")
    with pytest.raises(DataError, match="finite numbers in"):
        as_picture(good + np.nan, "content")
    with pytest.raises(DataError, match="finite numbers in"):
        as_picture(good + 2, "content")
    clear = np.dstack([np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32), np.uint8)])
    assert (as_picture(clear, "style") == 1).all()  # transparent: the white below
    assert as_picture(np.zeros((32, 40)), "content").shape == (32, 40, 3)
    with pytest.raises(ParameterError, match="steps"):
        transfer(good, good, body(), steps=0)


def test_a_network_learns_one_style_and_paints_photos_of_any_size(tmp_path) -> None:
    _, style = pictures()
    photos = np.random.default_rng(0).uniform(0.2, 0.8, (8, 32, 32, 3)).astype(np.float32)
    made = StyleNetwork(width=4, blocks=1, epochs=3, learning_rate=0.01, random_state=0).fit(photos, style, body())
    assert made.history_["loss"][-1] < made.history_["loss"][0]
    painted = made.predict(np.random.default_rng(1).integers(0, 255, (45, 38, 3), dtype=np.uint8))
    assert painted.shape == (45, 38, 3) and painted.dtype == np.uint8
    made.save(tmp_path / "s.chainrule")
    np.testing.assert_array_equal(load(tmp_path / "s.chainrule").predict(photos[0]), made.predict(photos[0]))
    with pytest.raises(ShapeError, match="multiples of 4"):
        made.fit(photos[:, :, :30].repeat(2, axis=2)[:, :, :58], style, body())


def test_the_command_paints(tmp_path, capsys, monkeypatch) -> None:
    pytest.importorskip("PIL")
    monkeypatch.chdir(tmp_path)
    content, style = pictures()
    write_picture(content, "photo.png")
    write_picture(style, "painting.png")
    x = Input((48, 48, 3))
    Network(inputs=x, outputs=Dense(2)(Flatten()(ReLU()(body().network(x))))).build((48, 48, 3)).save("body.chainrule")
    (tmp_path / "steps").mkdir()
    common = ["style", "photo.png", "painting.png", "--body", "body.chainrule", "--size", "48", "--steps", "2"]
    assert main([*common, "-o", "out.png", "--previews", "steps"]) == 0
    from PIL import Image

    with Image.open("out.png") as made:
        assert made.size == (48, 40)
    assert (tmp_path / "steps" / "step0002.png").is_file()
    capsys.readouterr()
    assert main([*common, "-o", "out.txt"]) == 2
    assert main(["style", "nothing.png", "painting.png"]) == 2
    assert main([*common[:-1], "0"]) == 2 and "--steps must be an int of at least 1" in capsys.readouterr().err


def test_lbfgs_comes_further_than_adam_and_stays_within_what_can_be_shown() -> None:
    content, style = pictures()
    ends, shown = {}, []
    for optimizer in ("adam", "lbfgs"):
        seen: list[float] = []
        made = transfer(
            content, style, body(), steps=20, optimizer=optimizer, every=5,
            on_step=lambda n, picture, j, seen=seen: (seen.append(j), shown.append(picture)),
        )  # fmt: skip
        assert made.shape == content.shape and made.dtype == np.uint8 and len(seen) == 4
        ends[optimizer] = seen[-1]
    assert ends["lbfgs"] < ends["adam"]
    assert all(picture.min() >= 0 and picture.max() <= 1 for picture in shown)
    with pytest.raises(ParameterError, match="optimizer"):
        transfer(content, style, body(), steps=1, optimizer="newton")
    with pytest.raises(ShapeError, match="start picture"):
        transfer(content, style, body(), steps=1, start=style)


def test_the_command_learns_a_style_and_paints_with_it(tmp_path, capsys, monkeypatch) -> None:
    pytest.importorskip("PIL")
    monkeypatch.chdir(tmp_path)
    content, style = pictures()
    (tmp_path / "photos").mkdir()
    (tmp_path / "seen").mkdir()
    for i in range(3):
        write_picture(np.roll(content, 5 * i, axis=1), tmp_path / "photos" / f"{i}.png")
    write_picture(content, "photo.png")
    write_picture(style, "painting.png")
    x = Input((48, 48, 3))
    Network(inputs=x, outputs=Dense(2)(Flatten()(ReLU()(body().network(x))))).build((48, 48, 3)).save("body.chainrule")
    train = ["style", "train", "photos", "painting.png", "--body", "body.chainrule", "--size", "42", "--epochs", "2"]
    small = ["--width", "2", "--seed", "0", "--batch-size", "2"]
    assert main([*train, *small, "-o", "painter.chainrule", "--previews", "seen"]) == 0
    said = capsys.readouterr().out
    assert "3 photos, 40 × 40" in said and "Next:  chainrule style PHOTO painter.chainrule" in said
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == ["epoch001.png", "epoch002.png"]
    assert main(["style", "photo.png", "painter.chainrule", "-o", "out.png", "--keep-colours"]) == 0
    assert main(["style", "photo.png", "painter.chainrule", "-o", "small.png", "--size", "36"]) == 0
    from PIL import Image

    with Image.open("out.png") as whole, Image.open("small.png") as smaller:
        assert whole.size == (48, 40) and smaller.size == (36, 30)
    capsys.readouterr()
    for wrong, words in (
        (["style", "photo.png"], "give a photo and a painting or a model"),
        (["style", "photo.png", "painter.chainrule", "--steps", "3"], "--steps is not for painting with a model"),
        (["style", "photo.png", "painting.png", "--epochs", "3"], "--epochs is not for painting like a picture"),
        ([*train, "--steps", "3"], "--steps is not for training"),
        (["style", "photo.png", "painting.png", "-o", "out.txt", "--body", "nothing.npz"], "A picture is written to"),
        (["style", "photo.png", "painting.png", "--strength", "-1"], "--strength must be a finite number"),
        (["style", "train", "seen", "nothing.png", *train[4:]], "nothing.png"),
        (["style", "train", "nowhere", "painting.png"], "no such folder"),
        (["style", "photo.png", "body.chainrule"], "holds no StyleNetwork"),
        ([*train, "--learning-rate", "0"], "learning_rate must be"),
    ):
        assert main(wrong) == 2, wrong
        assert words in capsys.readouterr().err, wrong


def test_a_style_network_that_has_learned_nothing_says_so(tmp_path) -> None:
    made, photo = StyleNetwork(), np.zeros((32, 32, 3))
    for use in (lambda: made.predict(photo), lambda: made.save(tmp_path / "s.chainrule"), lambda: made.network):
        with pytest.raises(NotFittedError, match="Call fit before"):
            use()
    with pytest.raises(ShapeError, match="pictures of one size"):
        made.fit([photo, photo[:, :16]], photo, body())
    with pytest.raises(ShapeError, match="pictures of one size"):
        made.fit([], photo, body())
    with pytest.raises(ParameterError, match="style_weight"):
        StyleNetwork(style_weight=-1).fit(photo[None], photo, body())


def test_a_body_of_many_layers_is_looked_at_where_its_features_are_not_too_small(tmp_path) -> None:
    layers = [part for _ in range(6) for part in (Conv2D(2, 3, padding=1, stride=2), ReLU())]
    Network([*layers, Flatten(), Dense(2)], random_state=0).build((64, 64, 3)).save(tmp_path / "deep.chainrule")
    found = style_body(tmp_path / "deep.chainrule")
    assert found.style == ("1.relu", "3.relu", "5.relu") and found.content == ("5.relu",)  # halves, quarters and eighths
