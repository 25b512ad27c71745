"""Several networks in turn: gradients, engines, PyTorch, what is shared within a round, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import BatchNorm, Conv2D, Dense, Dropout, Flatten, Input, Network, ReLU, Tanh, load
from chainrule.errors import DataError, NotFittedError, ParameterError, ShapeError
from chainrule.layers import (
    Concat,
    GaussianNoise,
    LeakyReLU,
    LearnedArray,
    Multiply,
    Noise,
    Reshape,
    SpectralNorm,
    StopGradient,
    Subtract,
)
from chainrule.losses import OutputLoss
from chainrule.network import SpectrallyNormalised
from chainrule.optimizers import Adam
from chainrule.optimizers.schedules import Exponential
from chainrule.training import Callback, Turn, Turns


def pair(dtype="float32", wide=6):
    """A generator of points from numbers that are given, and a critic."""
    generator = Network([Dense(wide), Tanh(), Dense(2)], random_state=1, dtype=dtype)
    critic = Network([Dense(wide), Tanh(), Dense(1)], random_state=2, dtype=dtype)
    generator.build((3,))
    critic.build((2,))
    return generator, critic


def game(generator, critic, *, steps=1, optimizer="sgd", rate=0.1, dtype="float32"):
    x, z = Input((2,)), Input((3,))
    fake = generator(z)
    turns = [
        Turn(
            [critic(x), critic(fake)],
            "binary_cross_entropy",
            targets=[1, 0],
            learns=critic,
            optimizer=optimizer,
            learning_rate=rate,
            steps=steps,
            name="critic",
        ),
        Turn(
            critic(fake),
            "binary_cross_entropy",
            targets=1,
            learns=generator,
            optimizer=optimizer,
            learning_rate=rate,
            name="generator",
        ),
    ]
    return Turns(turns, inputs=[x, z], random_state=0, dtype=dtype)


def samples(n=12, dtype=np.float32):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, 2)).astype(dtype), rng.normal(size=(n, 3)).astype(dtype)]


def weights(*networks):
    return {(i, name): np.array(a) for i, net in enumerate(networks) for name, a in net.parameters.items()}


@pytest.mark.parametrize("learner", [0, 1])
def test_the_step_of_each_turn_follows_the_gradient_of_its_own_objective(learner):
    generator, critic = pair("float64")
    data, rate = samples(dtype=np.float64), 1e-3
    turns = game(generator, critic, rate=rate, dtype="float64")
    name, net = ("critic", critic) if learner == 0 else ("generator", generator)
    other = generator if learner == 0 else critic
    if learner == 1:
        turns = Turns(turns.turns[1], inputs=list(turns.network._tensors[0]), dtype="float64")
    else:
        turns = Turns(turns.turns[0], inputs=list(turns.network._tensors[0]), dtype="float64")
    slopes = {}
    for full, array in net.parameters.items():
        slopes[full] = np.zeros(array.shape)
        for at in np.ndindex(array.shape):
            kept, found = array[at], []
            for change in (1e-6, -1e-6):
                array[at] = kept + change
                found.append(turns.evaluate(data)[name])
            array[at] = kept
            slopes[full][at] = (found[0] - found[1]) / 2e-6
    before, still = weights(net), weights(other)
    turns.fit(data, epochs=1, batch_size=12, shuffle=False, verbose=0)
    for full, array in net.parameters.items():
        np.testing.assert_allclose((before[0, full] - array) / rate, slopes[full], rtol=1e-5, atol=1e-7)
    assert all(np.array_equal(still[key], now) for key, now in weights(other).items())


@pytest.mark.parametrize("steps", [1, 3])
def test_engines_agree_and_a_round_is_the_same_as_its_steps_one_by_one(steps):
    found = []
    for engine in ("reference", "auto"):
        generator, critic = pair()
        turns = game(generator, critic, steps=steps, optimizer="adam", rate=0.01)
        turns.fit(samples(36), epochs=3, batch_size=4, shuffle=False, engine=engine, verbose=0)
        found.append(weights(generator, critic))
    # The same by fits of one network at a time.
    generator, critic = pair()
    x, z = Input((2,)), Input((3,))
    first = Network(inputs=[x, z], outputs=[critic(x), critic(generator(z))]).build((2,), (3,)).freeze(generator)
    z2 = Input((3,))
    second = Network(inputs=z2, outputs=critic(generator(z2))).build((3,)).freeze(critic)
    X, Z = samples(36)
    common = {"loss": "binary_cross_entropy", "shuffle": False}
    for _ in range(3):
        for start in range(0, 36, 4 * steps):
            for step in range(steps):
                rows = slice(start + 4 * step, start + 4 * step + 4)
                ones, zeros = np.ones((4, 1), np.float32), np.zeros((4, 1), np.float32)
                first.partial_fit([X[rows], Z[rows]], [ones, zeros], optimizer=Adam(0.01), **common)
            rows = slice(start, start + 4)
            second.partial_fit(Z[rows], ones, optimizer=Adam(0.01), **common)
    found.append(weights(generator, critic))
    for key, expected in found[0].items():
        for other in found[1:]:
            np.testing.assert_allclose(other[key], expected, rtol=2e-4, atol=2e-6)


def test_noise_dropout_and_running_statistics_are_the_same_on_both_engines():
    found = []
    for engine in ("reference", "auto"):
        generator = Network([Dense(5), BatchNorm(), ReLU(), Dense(4 * 4 * 2)], random_state=1)
        body = Network([Conv2D(3, 3, padding="same"), LeakyReLU(), Dropout(0.3), Flatten(), Dense(1)], random_state=2)
        x = Input((32,))
        picture = Reshape((4, 4, 2))
        fake = generator(Noise(7)(x))
        turns = Turns(
            [
                Turn(
                    [body(picture(x)), body(picture(fake))], "hinge", targets=[1, -1], learns=body, steps=2, optimizer="sgd"
                ),
                Turn(body(picture(fake)), "output", loss_weights=[-1], learns=generator, optimizer="sgd"),
            ],
            inputs=x,
            random_state=3,
        )
        X = np.random.default_rng(0).normal(size=(40, 32)).astype(np.float32)
        turns.fit(X, epochs=2, batch_size=5, engine=engine, verbose=0)
        found.append(weights(generator, body) | {("state", n): np.array(a) for n, a in generator.states.items()})
    for key, expected in found[0].items():
        np.testing.assert_allclose(found[1][key], expected, rtol=1e-3, atol=1e-5, err_msg=str(key))


def test_what_one_turn_computed_is_not_computed_again_by_the_next():
    generator, critic = pair()
    turns = game(generator, critic)
    turns._feed(samples(), "X", whole=True)
    trainer = turns._new_trainer()
    plan = trainer.executable(12).executable.plan
    members = [m for node in plan.nodes for m in node.attrs.get("nodes", [node])]
    products = [m for m in members if m.op == "matmul" and m.where.phase == "forward" and m.where.layer.startswith("2")]
    forward = sum(m.op == "matmul" and m.where.phase == "forward" for m in members)
    # Two of the generator, once; and two of the critic for the real and for the fake points, and for these again
    # with its new weights.
    assert forward == 2 + 3 * 2, products


def test_a_teacher_acts_as_in_prediction_and_a_student_learns_from_it():
    teacher = Network([Dense(8), BatchNorm(), ReLU(), Dropout(0.5), Dense(3)], random_state=0)
    X = np.random.default_rng(0).normal(size=(256, 4)).astype(np.float32)
    teacher.fit(X, X[:, :3], epochs=3, verbose=0)
    before, states = weights(teacher), {n: np.array(a) for n, a in teacher.states.items()}
    student = Network([Dense(16), ReLU(), Dense(3)], random_state=1)
    x = Input((4,))
    turns = Turns(Turn(student(x), "squared_error", targets=teacher(x), learns=student, learning_rate=0.02), inputs=x)
    turns.fit(X, epochs=30, verbose=0, validation_data=X)
    assert np.mean((student.predict(X) - teacher.predict(X)) ** 2) < 0.05 * np.var(teacher.predict(X))
    assert all(np.array_equal(before[key], now) for key, now in weights(teacher).items())
    assert all(np.array_equal(states[n], a) for n, a in teacher.states.items())
    assert turns.history_["val_loss"][-1] == pytest.approx(turns.evaluate(X)["loss"])


def test_noise_that_stands_in_the_graph_by_itself_acts_as_in_training():
    net = Network([Dense(1, bias=False)], random_state=0)
    x = Input((2,))
    turn = Turn(net(GaussianNoise(1.0)(x)), "squared_error", targets=0.5, learns=net, optimizer="sgd", learning_rate=1e-9)
    turns = Turns(turn, inputs=x, random_state=0).fit(np.zeros((512, 2)), epochs=1, batch_size=512, verbose=0)
    size = np.square(net.parameters["0.dense.weight"]).sum()
    assert turns.history_["loss"][0] == pytest.approx(0.25 + size, rel=0.2)
    assert turns.evaluate(np.zeros((512, 2)))["loss"] == pytest.approx(0.25)


def test_an_actor_is_trained_by_the_advantage_that_a_critic_finds():
    """Contextual bandit: the reward is 1 for the action that the sign of the state names."""
    rng = np.random.default_rng(0)
    S = rng.normal(size=(2000, 3)).astype(np.float32)
    A = rng.integers(0, 2, 2000)
    R = ((S[:, 0] > 0) == A).astype(np.float32)[:, None]
    body = Network([Dense(16), Tanh()], random_state=0)
    actor, critic = Network([Dense(2)], random_state=1), Network([Dense(1)], random_state=2)
    s, a, r = Input((3,)), Input((), dtype="int"), Input((1,))
    h = body(s)
    value = critic(StopGradient()(h))
    advantage = Subtract()(r, value)
    turns = Turns(
        [
            Turn(value, "squared_error", targets=r, learns=critic, name="critic"),
            Turn(actor(h), "softmax_cross_entropy", targets=a, weights=advantage, learns=[actor, body], name="actor"),
        ],
        inputs=[s, a, r],
        random_state=0,
    )
    turns.fit([S, A, R], epochs=20, verbose=0)
    policy = Network([body, actor]).build((3,))
    assert ((policy.predict(S).argmax(axis=1) == (S[:, 0] > 0)).mean()) > 0.95
    assert np.abs(Network([body, critic]).build((3,)).predict(S).mean() - 0.5) < 0.1


def test_an_array_is_learned_through_a_frozen_network():
    net = Network([Dense(8), Tanh(), Dense(2)], random_state=0).build((5,))
    x = Input((1,))
    array = LearnedArray(5)
    turns = Turns(Turn(net(array(x)), "squared_error", targets=0.3, learns=array, learning_rate=0.05), inputs=x)
    turns.fit(np.zeros((1, 1)), epochs=200, batch_size=1, verbose=0)
    assert turns.history_["loss"][-1] < 1e-4


def test_partial_fit_goes_on_with_the_state_of_the_optimizers():
    data = samples(24)
    one, two = pair(), pair()
    whole = game(*one, optimizer="adam").fit(data, epochs=3, batch_size=8, verbose=0)
    parts = game(*two, optimizer="adam")
    for _ in range(3):
        parts.partial_fit(data, batch_size=8)
    assert whole.history_["critic"] == parts.history_["critic"] and len(parts.history_.epochs) == 3
    for key, expected in weights(*one).items():
        np.testing.assert_array_equal(weights(*two)[key], expected)


def test_a_moving_average_of_what_a_turn_learns():
    _, critic = pair()
    x, z = Input((2,)), Input((3,))
    turn = Turn(critic(x), "squared_error", targets=1, learns=critic, optimizer="sgd", learning_rate=0.1, average=0.8)
    turns = Turns(turn, inputs=[x, z])
    with pytest.raises(NotFittedError):
        turns.take_average()
    average, name = 0.0, "0.dense.weight"
    for _ in range(5):
        average = 0.8 * average + 0.2 * critic.parameters[name]
        turns.partial_fit(samples(4), batch_size=4)
    last = critic.parameters[name].copy()
    turns.take_average()
    np.testing.assert_allclose(critic.parameters[name], average / (1 - 0.8**5), rtol=1e-5)
    assert not np.array_equal(last, critic.parameters[name])


def test_callbacks_and_schedules_see_the_epochs():
    seen = []

    class Watch(Callback):
        def on_epoch_end(self, state, epoch, logs):
            seen.append((epoch, sorted(logs)))
            state.stop = epoch == 2

    turns = game(*pair(), rate=Exponential(0.1, decay=0.5, every=3))
    turns.fit(samples(), epochs=9, batch_size=4, callbacks=Watch(), verbose=0)
    assert [epoch for epoch, _ in seen] == [1, 2] and seen[0][1][:2] == ["critic", "generator"]
    rates = turns.history_["learning_rate"]
    assert rates[1] < rates[0]


def test_what_does_not_fit_is_refused_with_one_clear_error():
    generator, critic = pair()
    x, z = Input((2,)), Input((3,))
    with pytest.raises(ParameterError, match="compares an output with a target"):
        Turn(critic(x), "squared_error", learns=critic)
    with pytest.raises(ParameterError, match="learns must be networks or layers"):
        Turn(critic(x), "output", learns="critic")
    with pytest.raises(ParameterError, match="does not stand in this"):
        Turns(Turn(critic(x), "output", learns=generator), inputs=x)
    with pytest.raises(ParameterError, match="a name of its own"):
        Turns([Turn(critic(x), "output", learns=critic, name="a")] * 2, inputs=x)
    with pytest.raises(ParameterError, match="looks for a minimum of one function"):
        Turn(critic(x), "output", learns=critic, optimizer="lbfgs")
    with pytest.raises(ParameterError, match="loss_weights must be one finite number"):
        Turn(critic(x), "output", learns=critic, loss_weights=[np.nan])
    turns = game(generator, critic)
    with pytest.raises(ShapeError, match="input 1: the network was made for samples of shape"):
        turns.fit([np.zeros((8, 2)), np.zeros((8, 4))], verbose=0)
    with pytest.raises(DataError):
        turns.fit([np.full((8, 2), np.nan), np.zeros((8, 3))], verbose=0)
    wide = Network([Dense(3)], random_state=0)
    with pytest.raises(ShapeError, match=r"0\.dense|dense"):
        Turns(Turn(critic(wide(z)), "output", learns=wide), inputs=z).fit(np.zeros((8, 3)), verbose=0)
    a = Input((), dtype="int")
    labels = Turns(Turn(wide(z), "softmax_cross_entropy", targets=a, learns=wide), inputs=[z, a])
    with pytest.raises(DataError, match="class indices from 0 to 2"):
        labels.fit([np.zeros((8, 3)), np.full(8, 3)], verbose=0)


def test_a_generator_and_a_discriminator_of_unequal_shapes_are_refused_with_both_shapes():
    x, z = Input((8, 8, 1)), Input((3,))
    generator = Network([Dense(36), Reshape((6, 6, 1))], random_state=0)
    critic = Network([Flatten(), Dense(4).named("first"), Dense(1)], random_state=1)
    turns = Turns([Turn([critic(x), critic(generator(z))], "hinge", targets=[1, -1], learns=critic)], inputs=[x, z])
    with pytest.raises(ShapeError, match=r"layer 'first'.* used twice, on samples of shape \(64,\) and then of \(36,\)"):
        turns.fit([np.zeros((4, 8, 8, 1)), np.zeros((4, 3))], epochs=1, verbose=0)


def test_a_turn_whose_layers_have_no_influence_is_refused():
    one, two = Network([Dense(1)], random_state=0), Network([Dense(1)], random_state=1)
    x = Input((2,))
    turns = Turns([Turn(one(x), "output", learns=one), Turn(one(x), "squared_error", targets=two(x), learns=two)], inputs=x)
    with pytest.raises(ShapeError, match="no parameter of the layers that it trains"):
        turns.fit(np.zeros((8, 2)), verbose=0)


def test_noise_is_normal_or_uniform_and_new_at_every_step():
    x = Input((1,))
    drawn = Network(inputs=x, outputs=[Noise(200)(x), Noise((4, 5), distribution="uniform")(x)], random_state=0)
    drawn.build((1,))
    normal, uniform = drawn.predict(np.zeros((2000, 1)))
    assert uniform.shape == (2000, 4, 5) and -1 <= uniform.min() < -0.999 and 0.999 < uniform.max() < 1
    flat = np.sort(normal.astype(np.float64).ravel())
    assert abs(flat.mean()) < 0.005 and abs(flat.std() - 1) < 0.005
    # Quantiles of the normal distribution.
    for share, value in ((0.001, -3.0902), (0.1, -1.28155), (0.5, 0.0), (0.975, 1.95996)):
        assert flat[int(share * len(flat))] == pytest.approx(value, abs=0.04)
    with pytest.raises(ParameterError, match="shape must be an int of at least 1"):
        Network([Noise(0)])
    with pytest.raises(ParameterError, match="distribution"):
        Network([Noise(3, distribution="cauchy")])


def test_spectral_normalisation_divides_by_the_largest_singular_value_and_has_its_gradient():
    net = Network([SpectralNorm(Conv2D(4, 3)), Flatten(), SpectralNorm(Dense(2))], random_state=0, dtype="float64")
    net.build((5, 5, 3))
    x = Input((5, 5, 3))
    X = np.random.default_rng(0).normal(size=(6, 5, 5, 3))
    name = "0.spectral_norm.weight"
    for full in (name, "2.spectral_norm.weight"):
        w = net.parameters[full]
        right = np.linalg.svd(w.reshape(-1, w.shape[-1]), full_matrices=False)[2][0]
        net.represent(full, SpectrallyNormalised(right))
    turns = Turns(
        Turn(net(x), "squared_error", targets=1, learns=net, optimizer="sgd", learning_rate=1e-3), inputs=x, dtype="float64"
    )
    w = net.parameters[name]
    sigma = np.linalg.norm(w.reshape(-1, 4), 2)
    plain = Network([Conv2D(4, 3)], dtype="float64").build((5, 5, 3))
    plain.parameters["0.conv2d.weight"][...] = w / sigma
    np.testing.assert_allclose(net.cut("0.spectral_norm").predict(X), plain.predict(X), rtol=1e-9)
    at, slopes = [(0, 0, 0, 0), (1, 2, 1, 3), (2, 1, 2, 1)], []
    for place in at:
        kept, found = w[place], []
        for change in (1e-6, -1e-6):
            w[place] = kept + change
            found.append(turns.evaluate(X)["loss"])
        w[place] = kept
        slopes.append((found[0] - found[1]) / 2e-6)
    before = w.copy()
    turns.fit(X, epochs=1, batch_size=6, verbose=0)
    np.testing.assert_allclose([(before[p] - w[p]) / 1e-3 for p in at], slopes, rtol=1e-5)


def test_power_iteration_goes_on_in_the_turns_that_train_the_layer_and_files_keep_it(tmp_path):
    net = Network([SpectralNorm(Dense(6)), ReLU(), Dense(1)], random_state=0).build((5,))
    x = Input((5,))
    Turns(Turn(net(x), "squared_error", targets=1, learns=net), inputs=x).fit(np.ones((640, 5)), epochs=3, verbose=0)
    w = net.parameters["0.spectral_norm.weight"]
    u = net.representation("0.spectral_norm.weight").u
    right = np.linalg.svd(w, full_matrices=False)[2][0]
    assert abs(u @ right) > 0.999
    X = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    net.save(tmp_path / "n.chainrule")
    np.testing.assert_array_equal(load(tmp_path / "n.chainrule").predict(X), net.predict(X))


def test_layers_of_a_graph_may_join_what_the_turns_read():
    """A condition that a generator and a critic are given beside noise and picture."""
    generator, critic = Network([Dense(8), ReLU(), Dense(2)], random_state=0), Network([Dense(8), ReLU(), Dense(1)])
    x, c = Input((2,)), Input((3,))
    fake = generator(Concat()(Noise(4)(x), c))
    scores = critic(Concat()(x, c)), critic(Concat()(fake, c))
    turns = Turns(
        [
            Turn(list(scores), OutputLoss(), loss_weights=[-1, 1], learns=critic, name="critic"),
            Turn(Multiply()(scores[1], scores[1]), "output", learns=generator, name="generator"),
        ],
        inputs=[x, c],
        random_state=0,
    )
    turns.fit([np.ones((16, 2)), np.ones((16, 3))], epochs=2, verbose=0)
    assert np.isfinite(turns.history_["loss"]).all()


@pytest.mark.peer
def test_alternated_steps_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    generator, critic = pair()
    X, Z = samples(32)

    def same(net):
        first, last = (torch.nn.Linear(*net.parameters[f"{i}.dense.weight"].shape) for i in (0, 2))
        with torch.no_grad():
            for i, layer in ((0, first), (2, last)):
                layer.weight.copy_(torch.from_numpy(net.parameters[f"{i}.dense.weight"].T.copy()))
                layer.bias.copy_(torch.from_numpy(net.parameters[f"{i}.dense.bias"].copy()))
        return torch.nn.Sequential(first, torch.nn.Tanh(), last)

    g, d = same(generator), same(critic)
    turns = game(generator, critic, steps=2, optimizer="adam", rate=0.01)
    turns.fit([X, Z], epochs=2, batch_size=4, shuffle=False, verbose=0)
    of_d, of_g = (torch.optim.Adam(m.parameters(), 0.01, eps=1e-8) for m in (d, g))
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    for _ in range(2):
        for start in range(0, 32, 8):
            for step in range(2):
                rows = slice(start + 4 * step, start + 4 * step + 4)
                x, z = torch.from_numpy(X[rows]), torch.from_numpy(Z[rows])
                of_d.zero_grad()
                j = loss(d(x), torch.ones(4, 1)) + loss(d(g(z).detach()), torch.zeros(4, 1))
                j.backward()
                of_d.step()
            z = torch.from_numpy(Z[start : start + 4])
            of_g.zero_grad()
            loss(d(g(z)), torch.ones(4, 1)).backward()
            of_g.step()
    for net, peer in ((generator, g), (critic, d)):
        for i in (0, 2):
            np.testing.assert_allclose(
                net.parameters[f"{i}.dense.weight"].T, peer[i].weight.detach().numpy(), rtol=2e-4, atol=2e-5
            )
