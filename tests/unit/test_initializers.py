"""The initialisers follow their laws, depend on the seed alone, and refuse what makes no sense."""

from __future__ import annotations

import doctest
import importlib
import json
import math
import pkgutil

import numpy as np
import pytest

import chainrule.initializers
from chainrule import initializers as init
from chainrule import layers as L
from chainrule.errors import DataError, DtypeError, ParameterError, ShapeError, UnknownNameError

FAN_IN, FAN_OUT = 300, 400
N = FAN_IN * FAN_OUT
# The standard deviation of N(0, 1) cut at 2: 1 - 4 φ(2) / (2 Φ(2) - 1) is its variance.
CUT_STD = 0.8796256610342398

LAWS = [
    init.Zeros(),
    init.Ones(),
    init.Constant(0.3),
    init.Normal(0.2, mean=-0.1),
    init.Uniform(-0.1, high=0.4),
    init.TruncatedNormal(0.2, mean=0.5),
    init.LeCunNormal(),
    init.LeCunUniform(),
    init.GlorotNormal(),
    init.GlorotUniform(),
    init.HeNormal(0.1),
    init.HeUniform(),
    init.Orthogonal(1.5),
    init.LSUV(0.05, max_iterations=3),
]


def draw(law, shape=(FAN_IN, FAN_OUT), *, seed=0, dtype=np.float64, fan_in=FAN_IN, fan_out=FAN_OUT):
    return law(shape, np.random.default_rng(seed), fan_in=fan_in, fan_out=fan_out, dtype=dtype)


@pytest.mark.parametrize(
    ("law", "mean", "std"),
    [
        (init.Zeros(), 0.0, 0.0),
        (init.Ones(), 1.0, 0.0),
        (init.Constant(-2.5), -2.5, 0.0),
        (init.Normal(), 0.0, 0.01),
        (init.Normal(0.2, mean=-0.1), -0.1, 0.2),
        (init.Normal(0.0, mean=3.0), 3.0, 0.0),
        (init.Uniform(-0.1, high=0.5), 0.2, 0.6 / np.sqrt(12)),
        (init.Uniform(1.0, high=1.0), 1.0, 0.0),
        (init.TruncatedNormal(0.2, mean=0.5), 0.5, 0.2 * CUT_STD),
        (init.LeCunNormal(), 0.0, np.sqrt(1 / FAN_IN)),
        (init.LeCunUniform(), 0.0, np.sqrt(1 / FAN_IN)),
        (init.GlorotNormal(), 0.0, np.sqrt(2 / (FAN_IN + FAN_OUT))),
        (init.GlorotUniform(), 0.0, np.sqrt(2 / (FAN_IN + FAN_OUT))),
        (init.HeNormal(), 0.0, np.sqrt(2 / FAN_IN)),
        (init.HeUniform(), 0.0, np.sqrt(2 / FAN_IN)),
        (init.HeNormal(0.5), 0.0, np.sqrt(2 / 1.25 / FAN_IN)),
        (init.HeUniform(0.5), 0.0, np.sqrt(2 / 1.25 / FAN_IN)),
    ],
    ids=repr,
)
def test_mean_and_spread_are_those_of_the_law(law, mean, std):
    w = draw(law)
    # Five standard errors: std/√N for the mean; for the spread std/√(2N), the largest of these laws.
    assert abs(w.mean() - mean) <= 5 * std / np.sqrt(N) + 1e-14
    assert abs(w.std() - std) <= 5 * std / np.sqrt(2 * N) + 1e-14


@pytest.mark.parametrize(
    ("law", "bound"),
    [
        (init.LeCunUniform(), np.sqrt(3 / FAN_IN)),
        (init.GlorotUniform(), np.sqrt(6 / (FAN_IN + FAN_OUT))),
        (init.HeUniform(), np.sqrt(6 / FAN_IN)),
        (init.Uniform(-0.3, high=0.3), 0.3),
    ],
    ids=repr,
)
def test_uniform_laws_fill_their_interval(law, bound):
    w = draw(law)
    assert 0.999 * bound < np.abs(w).max() <= bound


def test_truncated_normal_stays_within_two_standard_deviations_and_keeps_the_shape_inside():
    z = (draw(init.TruncatedNormal(0.2, mean=0.5)) - 0.5) / 0.2
    assert 1.99 < np.abs(z).max() <= 2.0 + 1e-12
    # P(|z| < 1 given |z| < 2) = 0.682689 / 0.954500; clipping instead of cutting would give 0.6827.
    expected = 0.6826894921 / 0.9544997361
    assert abs((np.abs(z) < 1).mean() - expected) < 5 * np.sqrt(expected * (1 - expected) / N)


@pytest.mark.parametrize("shape", [(7, 7), (9, 4), (4, 9), (1, 5), (5, 1), (3, 3, 4, 8), (2, 2, 3, 40), (3, 5, 6)])
def test_orthogonal_weights_have_orthonormal_rows_or_columns(shape):
    gain = 1.7
    w = draw(init.Orthogonal(gain), shape).reshape(-1, shape[-1])
    gram = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(gram, gain**2 * np.eye(len(gram)), atol=1e-12)


def test_orthogonal_law_is_uniform_over_signs():
    rng = np.random.default_rng(0)
    corners = np.array([init.Orthogonal()((2, 2), rng, fan_in=2, fan_out=2)[0, 0] for _ in range(1000)])
    # Without the sign fix Householder's QR makes one sign certain; five standard errors around one half.
    assert abs((corners > 0).mean() - 0.5) < 5 * np.sqrt(0.25 / 1000)


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_the_seed_alone_decides(law):
    first = draw(law, (8, 6), seed=3)
    np.testing.assert_array_equal(first, draw(law, (8, 6), seed=3))
    if not isinstance(law, init.Zeros | init.Ones | init.Constant):
        assert not np.array_equal(first, draw(law, (8, 6), seed=4))


@pytest.mark.parametrize("law", LAWS, ids=repr)
@pytest.mark.parametrize("shape", [(5, 4), (3, 3, 2, 4)])
def test_shape_dtype_and_layout(law, shape):
    w64 = draw(law, shape)
    w32 = law(shape, np.random.default_rng(0), fan_in=5, fan_out=4)
    assert w32.shape == shape
    assert w32.dtype == np.float32
    assert w32.flags.c_contiguous
    assert w32.flags.writeable
    assert w64.dtype == np.float64
    np.testing.assert_array_equal(draw(law, shape, dtype=np.float32), w64.astype(np.float32))


def test_a_scalar_parameter_keeps_its_shape():
    assert draw(init.Constant(0.25), ()).shape == ()
    assert draw(init.TruncatedNormal(0.1), ()).shape == ()


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_config_survives_json_and_makes_an_equal_law(law):
    again = init.get(law.name, **json.loads(json.dumps(law.config())))
    assert again == law
    assert hash(again) == hash(law)
    assert eval(repr(law), vars(init)) == law


def test_config_of_numpy_numbers_is_plain():
    law = init.Normal(np.float32(0.5), mean=np.int64(2))
    assert json.loads(json.dumps(law.config())) == {"std": 0.5, "mean": 2}


def test_laws_with_other_parameters_differ():
    assert init.Normal(0.1) != init.Normal(0.2)
    assert init.HeNormal() != init.HeUniform()
    assert init.Zeros() != init.Ones()


def test_arguments_after_the_first_are_by_keyword():
    for make in (init.Normal, init.Uniform, init.TruncatedNormal, init.LSUV):
        with pytest.raises(TypeError):
            make(0.01, 0.02)


def test_laws_cannot_be_changed():
    with pytest.raises(AttributeError):
        init.Normal().std = 2.0


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: init.Constant(float("nan")), "value"),
        (lambda: init.Constant("1"), "value"),
        (lambda: init.Constant(True), "value"),
        (lambda: init.Normal(-1.0), "std"),
        (lambda: init.Normal(float("inf")), "std"),
        (lambda: init.Normal(mean=float("nan")), "mean"),
        (lambda: init.TruncatedNormal(-0.1), "std"),
        (lambda: init.TruncatedNormal(mean=None), "mean"),
        (lambda: init.Uniform(1.0, high=0.0), "low"),
        (lambda: init.Uniform(float("-inf")), "low"),
        (lambda: init.Uniform(-1.7e308, high=1.7e308), "interval"),
        (lambda: init.HeNormal(float("inf")), "negative_slope"),
        (lambda: init.HeUniform("0"), "negative_slope"),
        (lambda: init.Orthogonal(-1.0), "gain"),
        (lambda: init.LSUV(-0.1), "tolerance"),
        (lambda: init.LSUV(max_iterations=0), "max_iterations"),
        (lambda: init.LSUV(max_iterations=2.0), "max_iterations"),
    ],
)
def test_bad_parameters_are_refused_when_the_law_is_made(make, parameter):
    with pytest.raises(ParameterError, match=rf"\w+: (the )?{parameter} must .* Got "):
        make()


@pytest.mark.parametrize("shape", [(3, 0), (-1, 2), (2.0, 3), [3, 4], 5])
def test_bad_shapes_are_refused(shape):
    with pytest.raises(ShapeError, match="tuple of integers >= 1"):
        draw(init.HeNormal(), shape)


@pytest.mark.parametrize("law", [init.Orthogonal(), init.LSUV()], ids=repr)
def test_orthogonal_refuses_a_vector(law):
    with pytest.raises(ShapeError, match="two or more dimensions"):
        draw(law, (4,))


def test_bad_call_arguments_are_refused():
    with pytest.raises(ParameterError, match=r"HeNormal: fan_in must be an int of at least 1\. Got 0"):
        draw(init.HeNormal(), fan_in=0)
    with pytest.raises(ParameterError, match=r"GlorotNormal: fan_out must be an int of at least 1\. Got 1\.5"):
        draw(init.GlorotNormal(), fan_out=1.5)
    with pytest.raises(DtypeError, match="floating"):
        draw(init.Zeros(), dtype=np.int32)
    with pytest.raises(ParameterError, match="default_rng"):
        init.Normal()((2, 2), 0, fan_in=2, fan_out=2)


@pytest.mark.parametrize(
    ("shape", "fans"),
    [((64, 32), (64, 32)), ((3, 3, 16, 32), (144, 288)), ((5, 4, 6), (20, 30)), ((1, 1), (1, 1))],
)
def test_fans(shape, fans):
    assert init.compute_fans(shape) == fans


@pytest.mark.parametrize("shape", [(), (7,)])
def test_fans_need_two_dimensions(shape):
    with pytest.raises(ShapeError, match="fans"):
        init.compute_fans(shape)


def test_lsuv_gives_a_linear_layer_unit_variance():
    law = init.LSUV()
    assert law.data_dependent
    assert not init.Orthogonal().data_dependent
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 30)) * 40.0 + 3.0
    w = law((30, 20), rng, fan_in=30, fan_out=20, dtype=np.float64)
    np.testing.assert_allclose(w.T @ w, np.eye(20), atol=1e-12)
    scaled, done = law.rescale(w, x @ w)
    assert not done
    assert scaled is not w
    assert (x @ scaled).var() == pytest.approx(1.0, abs=1e-12)
    same, done = law.rescale(scaled, x @ scaled)
    assert done
    assert same is scaled


def test_lsuv_stops_within_its_tolerance_and_keeps_the_dtype():
    output = np.sqrt(1.09) * np.array([-1.0, 1.0], dtype=np.float32)
    w = np.ones((2, 2), dtype=np.float32)
    assert init.LSUV(0.1).rescale(w, output)[1]
    scaled, done = init.LSUV(0.08).rescale(w, output)
    assert not done
    assert scaled.dtype == np.float32


@pytest.mark.parametrize(
    ("output", "what"),
    [
        (np.ones((4, 2)), "constant"),
        (np.array([1.0, np.nan]), "not finite"),
        (np.array([1.0, np.inf]), "not finite"),
        (np.ones(0), "empty"),
    ],
)
def test_lsuv_refuses_an_output_that_cannot_be_scaled(output, what):
    with pytest.raises(DataError, match=what):
        init.LSUV().rescale(np.ones((2, 2)), output)


def test_get_by_name_and_by_object():
    assert init.get("he_normal") == init.HeNormal()
    law = init.Orthogonal(2.0)
    assert init.get(law) is law
    assert all(init.INITIALIZERS[name].name == name for name in init.INITIALIZERS)
    ours = {law for law in init.INITIALIZERS.values() if law.__module__.startswith("chainrule.")}
    assert {type(law) for law in LAWS} == ours


@pytest.mark.parametrize(
    ("name", "meant"), [("he_norml", "he_normal"), ("HeNormal", "he_normal"), ("glorot", "glorot_"), ("zero", "zeros")]
)
def test_an_unknown_name_gets_a_suggestion(name, meant):
    with pytest.raises(UnknownNameError, match=rf"Unknown initializer '{name}'. Did you mean '{meant}"):
        init.get(name)


def test_get_refuses_wrong_arguments():
    with pytest.raises(ParameterError, match="must be a name or an Initializer"):
        init.get(None)
    with pytest.raises(ParameterError, match="Constant needs its value"):
        init.get("constant")
    with pytest.raises(UnknownNameError, match="Did you mean 'mean'"):
        init.get("normal", maen=1.0)
    with pytest.raises(ParameterError, match="made already"):
        init.get(init.Normal(), std=1.0)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        *[(layer, init.HeNormal()) for layer in (L.ReLU(), L.GELU(), L.SiLU())],
        # 1 / E[σ(z)²] by quadrature with two million points
        (L.ELU(), init.HeNormal(math.sqrt(2 * 0.6449454 - 1))),
        (L.Softplus(), init.HeNormal(math.sqrt(2 * 0.9212459 - 1))),
        (L.LeakyReLU(), init.HeNormal(0.01)),
        (L.LeakyReLU(0.3), init.HeNormal(0.3)),
        (L.PReLU(), init.HeNormal(0.25)),
        (L.RReLU(), init.HeNormal((1 / 8 + 1 / 3) / 2)),
        (L.SELU(), init.LeCunNormal()),
        *[(layer, init.GlorotUniform()) for layer in (L.Tanh(), L.Sigmoid(), L.HardSigmoid(), L.Softsign(), L.Softmax())],
    ],
    ids=repr,
)
def test_default_for_an_activation(activation, expected):
    default = init.default_for(activation.curve().start_variance)
    assert type(default) is type(expected)
    assert default.config() == pytest.approx(expected.config(), abs=1e-5)


def test_default_without_an_activation_and_for_no_variance():
    assert init.default_for(None) == init.GlorotUniform()
    for variance in (0.0, 2.1, math.nan):
        with pytest.raises(ParameterError, match=r"must lie in \(0, 2\]"):
            init.default_for(variance)


@pytest.mark.parametrize("module", [m.name for m in pkgutil.iter_modules(chainrule.initializers.__path__)])
def test_the_examples_in_the_docstrings_run(module):
    result = doctest.testmod(
        importlib.import_module(f"chainrule.initializers.{module}"), optionflags=doctest.ELLIPSIS, report=True
    )
    assert result.failed == 0
