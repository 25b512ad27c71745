"""How a parameter is held: as it is, under a mask, as signs, or in another way; the layers need not know.

    net.represent("0.dense.weight", Masked(mask))       # zeros stay zero in every fit, and files keep only the rest
    net.represent("2.dense.weight", Sign())             # the layer computes with sign(w); fits change w
    net.representation("0.dense.weight")

A parameter has a stored array, which lies in the network's arena and is what optimizers change, and a value, which is what
the layer computes with. A representation says how they belong together:

    value(k, held)              the value, by equations over the stored array
    gradient(k, held, dvalue)   the gradient of the stored array
    constrain(k, held, w)       what an update may make of the stored array; ``project`` is the same in NumPy
    matmul, conv                another op in place of the product with the value, where one is better; None: the product
    pack, unpack                what a file keeps ; for_prediction: what it keeps where no fit follows

A representation of one's own is a subclass with some of these. It prints in ``equations()``, and files, copies, pickles,
checkpoints and ``Definition`` keep it.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..constraints import POSITIVE
from ..errors import DataError, ModelFileError, ParameterError, ShapeError
from ..ops import Builder, Int8Weights, SparseMatrix, Value
from ..ops.int8_weights import HIGHEST
from ..ops.memory import aligned_zeros
from ..ops.value import Shape
from ..registry import Configurable

__all__ = ["Bits", "Held", "Int8", "LowPrecision", "Masked", "Representation", "Sign", "SpectrallyNormalised"]

Array = NDArray[Any]
#: The array of a file that holds what is stored, where the representation packs nothing.
_STORED = "stored"
#: How many elements a place of 16 bits tells apart; how many elements a file may stand for with each of its bytes, and
#: beside that.
_SEGMENT, _RATIO, _FREE = 1 << 16, 1 << 12, 1 << 24
#: A fit skips the zeros of matrices of at least so many elements of which at most this share is kept, for at least so many
#: samples (measured on Zen 3; with fewer zeros the dense products of oneDNN are as fast).
_SPARSE_SIZE, _SPARSE_SHARE, _FEWEST_SAMPLES = 1 << 15, 0.25, 8
#: From here on to its double float32 numbers are whole.
_NO_FRACTION = 2.0**23


@dataclass
class Held:
    """A parameter with a representation, in one plan.

    Parameters
        representation : how it is held ; stored : the stored array ; arrays : the arrays of the representation, by name
        training : False in a plan that only predicts ; kept : what ``value`` leaves for ``gradient``
        skips_zeros : whether a mask may be part of the equations, so that zeros are neither multiplied nor updated
    """

    representation: Representation
    stored: Value
    arrays: dict[str, Value]
    training: bool
    skips_zeros: bool = False
    #: What ``value`` leaves for ``gradient``.
    kept: Any = None

    def __getitem__(self, name: str) -> Value:
        return self.arrays[name]

    def matmul(self, k: Builder, x: Value, *, transpose_a: bool, transpose_b: bool) -> Value | None:
        """x times the value, by an op of the representation's own; None where it has none."""
        return self.representation.matmul(k, self, x, transpose_a=transpose_a, transpose_b=transpose_b)

    def conv(self, k: Builder, x: Value, **geometry: Any) -> Value | None:
        """The convolution of x with the value, by an op of the representation's own; None where it has none."""
        return self.representation.conv(k, self, x, **geometry)


class Representation(Configurable):
    """Base of all representations: by itself the parameter is its stored array.

    Constructors only store what they are given, under the same names. Arguments that are arrays can be computed with in the
    equations, as ``held["name"]``: a network keeps them as arrays of its own precision, of the shape that they have.
    """

    registry: ClassVar[dict[str, type[Representation]]] = {}
    #: The letters of its arrays in equations, where they are not their names.
    letters: ClassVar[dict[str, str]] = {}
    #: Whether fits change the stored array.
    trainable: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__name__.startswith("_"):
            Representation.registry[cls.__name__] = cls

    def check(self, name: str, shape: Shape) -> None:
        """ShapeError or ParameterError when a parameter of this name and shape cannot be held like this."""

    def arrays(self) -> dict[str, Array]:
        """The arguments that are arrays."""
        return {name: value for name, value in super().config().items() if isinstance(value, np.ndarray)}

    def config(self) -> dict[str, Any]:
        """The arguments that are no arrays."""
        return {name: value for name, value in super().config().items() if not isinstance(value, np.ndarray)}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Representation) or type(self) is not type(other) or self.config() != other.config():
            return False
        mine, theirs = self.arrays(), other.arrays()
        return mine.keys() == theirs.keys() and all(np.array_equal(a, theirs[n]) for n, a in mine.items())

    __hash__ = Configurable.__hash__

    # ------------------------------------------------------------ equations

    def value(self, k: Builder, held: Held) -> Value:
        """Emits what the layer computes with."""
        return held.stored

    def gradient(self, k: Builder, held: Held, dvalue: Value) -> Value:
        """Emits the gradient of the stored array, from that of the value."""
        return dvalue

    def constrain(self, k: Builder, held: Held, w: Value) -> Value:
        """Emits what is stored where an update of the optimizer gave ``w``."""
        return w

    def project(self, w: Array) -> Array:
        """What is stored for the numbers w, such as start weights or the weights so far; ``constrain`` in NumPy."""
        return w

    def matmul(self, k: Builder, held: Held, x: Value, *, transpose_a: bool, transpose_b: bool) -> Value | None:
        """Emits x times the value by an op of its own, such as one that skips zeros; None leaves it to the dense product."""
        return None

    def conv(self, k: Builder, held: Held, x: Value, **geometry: Any) -> Value | None:
        """Emits the convolution of x with the value by an op of its own; None leaves it to the dense one.

        Parameters  geometry : stride, padding, dilation and groups, as of ``Builder.conv``
        """
        return None

    def equations(self) -> Hashable:
        """Another value where training needs other equations, because they depend on the arrays; by default they do not."""
        return None

    # ------------------------------------------------------------ files

    def for_prediction(self, stored: Array) -> tuple[Representation, Array]:
        """How the parameter is held, and what is stored, where the value is all that counts and no fit will follow."""
        return self, stored

    def pack(self, stored: Array) -> dict[str, Array]:
        """The arrays that a file keeps of the stored array and of the representation's own."""
        return {_STORED: stored, **self.arrays()}

    @classmethod
    def unpack(
        cls, arguments: Mapping[str, Any], packed: Mapping[str, Array], shape: Shape, dtype: DTypeLike
    ) -> tuple[Representation, Array]:
        """The representation and the stored array from what ``pack`` gave.

        Parameters  arguments : of the constructor, but for arrays ; shape, dtype : of the stored array
        Raises      ModelFileError, ShapeError, ParameterError when the arrays do not belong together
        """
        arrays = {name: array for name, array in packed.items() if name != _STORED}
        return cls(**arguments, **arrays), np.asarray(packed[_STORED], dtype).reshape(shape)

    # ------------------------------------------------------------ in a network

    def bind(self, dtype: DTypeLike) -> tuple[Representation, dict[str, Array]]:
        """A copy whose arrays are views of flat arrays that plans can read, and these arrays."""
        own, flats = copy.copy(self), {}
        for name, array in self.arrays().items():
            flats[name] = aligned_zeros(array.size, dtype)
            flats[name][...] = array.reshape(-1)
            setattr(own, name, flats[name].reshape(array.shape))
        return own, flats


class Masked(Representation):
    """A parameter of which some elements are zero and stay zero: ``w ← w ⊙ M`` after every update, ``dw = dvalue ⊙ M``.

    Parameters  mask : array of the parameter's shape, of bools or of zeros and ones; zero where the parameter is zero
    Files       the elements that are kept, and where they are: as places of 16 bits, or one bit an element, what is less
    Raises      ShapeError when the parameter has another shape ; ParameterError for other numbers

    Example
        >>> Masked(np.array([[1, 0], [0, 0]]))
        Masked(1 of 4 kept)
    """

    letters: ClassVar[dict[str, str]] = {"mask": "M"}

    def __init__(self, mask: Any) -> None:
        self.mask = np.asarray(mask)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.kept:,} of {self.mask.size:,} kept)"

    @property
    def kept(self) -> int:
        """How many elements are not masked."""
        return int(np.count_nonzero(self.mask))

    def check(self, name: str, shape: Shape) -> None:
        if self.mask.shape != shape:
            raise ShapeError(f"{name!r} has shape {shape} and its mask {self.mask.shape}; a mask needs the same shape.")
        if self.mask.dtype.kind not in "biuf" or not np.isin(self.mask, (0, 1)).all():
            raise ParameterError(f"the mask of {name!r} must be of bools, or of zeros and ones.")

    @property
    def is_sparse(self) -> bool:
        """Whether a fit skips the zeros, because so many are masked that this is faster than to multiply by them."""
        return self.mask.ndim == 2 and self.mask.size >= _SPARSE_SIZE and self.kept <= _SPARSE_SHARE * self.mask.size

    def equations(self) -> Hashable:
        # Where zeros are skipped, the places of the others are part of the equations.
        return hashlib.sha256(np.packbits(self.mask != 0).tobytes()).digest() if self.is_sparse else None

    def value(self, k: Builder, held: Held) -> Value:
        if held.skips_zeros and self.is_sparse:
            held.kept = SparseMatrix.of(self.mask != 0)
        return held.stored

    def matmul(self, k: Builder, held: Held, x: Value, *, transpose_a: bool, transpose_b: bool) -> Value | None:
        if held.kept is None or transpose_a or x.dtype != "float" or x.shape[0] < _FEWEST_SAMPLES:
            return None
        values = k.take_kept(held.stored, kept=held.kept)
        return k.kept_matmul(x, values, kept=held.kept, transpose=transpose_b)

    def gradient(self, k: Builder, held: Held, dvalue: Value) -> Value:
        product = dvalue.producer
        if held.kept is not None and product is not None and product.op == "matmul" and product.attrs["transpose_a"]:
            x, d = product.inputs
            if not product.attrs["transpose_b"] and x.shape[0] >= _FEWEST_SAMPLES:
                return k.spread_kept(k.kept_outer(x, d, kept=held.kept), kept=held.kept)
        return k.multiply(dvalue, held["mask"])

    def constrain(self, k: Builder, held: Held, w: Value) -> Value:
        return k.multiply(w, held["mask"])

    def project(self, w: Array) -> Array:
        return np.where(self.mask != 0, w, w.dtype.type(0))

    def pack(self, stored: Array) -> dict[str, Array]:
        kept = self.mask.reshape(-1) != 0
        values = {"values": stored.reshape(-1)[kept]}
        places = np.flatnonzero(kept)
        counts = np.bincount(places // _SEGMENT, minlength=math.ceil(kept.size / _SEGMENT)).astype(np.uint32)
        if 2 * places.size + counts.nbytes < kept.size / 8:
            return values | {"places": (places % _SEGMENT).astype(np.uint16), "counts": counts}
        return values | {"bits": np.packbits(kept)}

    @classmethod
    def unpack(
        cls, arguments: Mapping[str, Any], packed: Mapping[str, Array], shape: Shape, dtype: DTypeLike
    ) -> tuple[Representation, Array]:
        size, values = math.prod(shape), packed["values"]
        if size > _RATIO * sum(array.nbytes for array in packed.values()) + _FREE:
            raise ModelFileError(f"the masked array of shape {shape} would be much larger than the file.")
        kept = np.zeros(size, bool)
        if "bits" in packed:
            bits = packed["bits"]
            if bits.dtype != np.uint8 or bits.shape != (math.ceil(size / 8),):
                raise ModelFileError(f"the mask of an array of shape {shape} is damaged.")
            kept = np.unpackbits(bits, count=size).astype(bool)
        else:
            places, counts = packed["places"], packed["counts"]
            if places.dtype != np.uint16 or counts.dtype != np.uint32 or counts.shape != (math.ceil(size / _SEGMENT),):
                raise ModelFileError(f"the places of an array of shape {shape} are damaged.")
            if int(counts.sum(dtype=np.int64)) != places.size:
                raise ModelFileError(f"the places of an array of shape {shape} are damaged.")
            at = np.repeat(np.arange(counts.size, dtype=np.int64) * _SEGMENT, counts) + places
            if at.size and (int(at.max()) >= size or (np.diff(at) <= 0).any()):
                raise ModelFileError(f"the places of an array of shape {shape} are damaged.")
            kept[at] = True
        if values.shape != (np.count_nonzero(kept),):
            raise ModelFileError(f"the masked array of shape {shape} has {values.size} values for its places.")
        stored = np.zeros(size, dtype)
        stored[kept] = values
        return cls(**arguments, mask=kept.reshape(shape)), stored.reshape(shape)


class _Signs(Representation):
    """A parameter of which the layer sees the sign, times a scale for each output where there is one."""

    def value(self, k: Builder, held: Held) -> Value:
        signs = k.where_(k.greater_equal(held.stored, 0.0), 1.0, -1.0)
        scale = self.scale_of(k, held)
        held.kept = signs, scale
        return signs if scale is None else k.multiply(signs, scale)

    def scale_of(self, k: Builder, held: Held) -> Value | None:
        """Emits the scale of each output (O,); None where there is none."""
        return None

    # The scale goes behind the product, whose sums of signs are then whole numbers, exact in every order.

    def matmul(self, k: Builder, held: Held, x: Value, *, transpose_a: bool, transpose_b: bool) -> Value | None:
        signs, scale = held.kept
        if scale is None or transpose_a:
            return None
        if transpose_b:
            return k.matmul(k.multiply(x, scale), signs, transpose_b=True)
        return k.multiply(k.matmul(x, signs), scale)

    def conv(self, k: Builder, held: Held, x: Value, **geometry: Any) -> Value | None:
        signs, scale = held.kept
        return None if scale is None else k.multiply(k.conv(x, signs, **geometry), scale)


class Sign(_Signs):
    """A parameter of which the layer sees the sign, +1 or −1: ``value = sign w`` with sign 0 = 1.

    The derivative of the sign is 0 nearly everywhere, so the gradient goes straight through where ``|w| ≤ clip``:
    ``dw = dvalue ⊙ [|w| ≤ clip]``. After every update w is clipped to [−clip, clip]: farther out it would have no say.

    With ``scaled=True`` the signs of an output have the mean size of its weights, as in XNOR-Net: ``value = α sign w`` with
    ``α = mean |w|`` over all axes but the last, and ``dw = α dvalue ⊙ [|w| ≤ clip] + sign w · mean(dvalue ⊙ sign w)``. For α
    each ``|w|`` is rounded to a multiple of clip / 2ⁿ that makes the sum exact in every order, so that α is the same on
    every engine, for every division among threads, and in packed networks.

    Parameters  clip : number > 0 = 1 ; scaled : bool = False
    References  Courbariaux, Hubara, Soudry, El-Yaniv, Bengio, Binarized neural networks, 2016 ;
                Rastegari, Ordonez, Redmon, Farhadi, XNOR-Net, ECCV 2016

    Example
        >>> Sign(clip=0.5)
        Sign(clip=0.5)
    """

    def __init__(self, *, clip: float = 1.0, scaled: bool = False) -> None:
        self.clip, self.scaled = clip, scaled

    def check(self, name: str, shape: Shape) -> None:
        POSITIVE.check("Sign", "clip", self.clip)
        if not isinstance(self.scaled, bool):
            raise ParameterError(f"Sign: scaled must be True or False. Got {self.scaled!r}.")
        if self.scaled and (len(shape) < 2 or not math.prod(shape)):
            raise ParameterError(
                f"Sign: {name!r} has shape {shape}; only matrices and kernels have outputs with a scale each."
            )

    def scale_of(self, k: Builder, held: Held) -> Value | None:
        if not self.scaled:
            return None
        w = held.stored
        steps, back = self._steps(w.shape)
        # A float32 near 2²³ has no digits behind the point.
        whole = k.subtract(k.add(k.multiply(k.absolute(w), steps), _NO_FRACTION), _NO_FRACTION)
        scale = k.multiply(k.sum(whole, axis=tuple(range(w.ndim - 1))), back)
        scale.name = "alpha"
        return scale

    def _steps(self, shape: Shape) -> tuple[float, float]:
        """What makes whole numbers of sizes of weights, and the mean of their sum."""
        count = math.prod(shape[:-1])
        # Sums of whole numbers below 2²⁴ are exact in float32.
        steps = 2.0 ** min(22, max(0, 24 - math.ceil(math.log2(max(count, 2)))))
        return steps / float(self.clip), float(self.clip) / (steps * count)

    def gradient(self, k: Builder, held: Held, dvalue: Value) -> Value:
        through = k.greater_equal(float(self.clip), k.absolute(held.stored))
        if not self.scaled:
            return k.multiply(dvalue, through)
        signs, scale = held.kept
        mean = k.mean(k.multiply(dvalue, signs), axis=tuple(range(held.stored.ndim - 1)))
        return k.add(k.multiply(k.multiply(dvalue, scale), through), k.multiply(signs, mean))

    def constrain(self, k: Builder, held: Held, w: Value) -> Value:
        return k.minimum(k.maximum(w, -float(self.clip)), float(self.clip))

    def project(self, w: Array) -> Array:
        return np.clip(w, -w.dtype.type(self.clip), w.dtype.type(self.clip))

    def for_prediction(self, stored: Array) -> tuple[Representation, Array]:
        how = Bits()
        if self.scaled:  # scale_of, in NumPy
            steps, back = (stored.dtype.type(number) for number in self._steps(stored.shape))
            whole = (np.abs(stored) * steps + stored.dtype.type(_NO_FRACTION)) - stored.dtype.type(_NO_FRACTION)
            how = Bits(whole.sum(axis=tuple(range(stored.ndim - 1))) * back)
        return how, how.project(stored)


class SpectrallyNormalised(Representation):
    """A matrix divided by its largest singular value, ``value = w / σ(w)``: the layer stretches no input by more than 1.

    Kernels (*kernel, I, O) count as matrices (everything else, O). σ is found by power iteration, one step with every
    training step: v = w u / ‖w u‖, u ← wᵀ v / ‖wᵀ v‖, σ = vᵀ w u. The weights change little from step to step, so u
    follows them.

    Parameters  u : array (O,), the right singular vector so far, not zero
    Gradient    dw = (dvalue − ⟨dvalue, value⟩ v uᵀ) / σ, with u and v as they are
    References  Miyato, Kataoka, Koyama, Yoshida, Spectral normalization for generative adversarial networks, ICLR 2018
    """

    def __init__(self, u: Any) -> None:
        self.u = np.asarray(u)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.u.size} outputs)"

    def check(self, name: str, shape: Shape) -> None:
        if len(shape) < 2 or self.u.shape != shape[-1:]:
            raise ShapeError(
                f"{name!r} has shape {shape}; its u must be ({shape[-1] if shape else 0},). Got {self.u.shape}."
            )
        if not np.isfinite(self.u).all() or not self.u.any():
            raise DataError(f"the vector u of {name!r} must be finite, and not zero.")

    def value(self, k: Builder, held: Held) -> Value:
        w = held.stored
        matrix = k.reshape(w, (-1, w.shape[-1]))
        v = self._unit(k, k.matmul(matrix, k.reshape(held["u"], (-1, 1))))
        u = self._unit(k, k.matmul(matrix, v, transpose_a=True))
        sigma = k.sum(k.multiply(v, k.matmul(matrix, u)))
        if held.training and k.keeps_states:
            k.assign(held["u"], k.reshape(u, held["u"].shape))
        found = k.divide(w, sigma)
        held.kept = (v, u, sigma, found)
        return found

    @staticmethod
    def _unit(k: Builder, x: Value) -> Value:
        return k.divide(x, k.sqrt(k.maximum(k.sum(k.square(x)), 1e-30)))

    def gradient(self, k: Builder, held: Held, dvalue: Value) -> Value:
        v, u, sigma, value = held.kept
        along = k.reshape(k.matmul(v, u, transpose_b=True), dvalue.shape)
        return k.divide(k.subtract(dvalue, k.multiply(along, k.sum(k.multiply(dvalue, value)))), sigma)


class Bits(_Signs):
    """A parameter of ones and minus ones that no fit changes: what is left of ``Sign`` where only predictions follow.

    Parameters  scale : array (O,), what the signs of each output are multiplied with, or None = None
    Files       one bit an element, 1 for +1, and the scale
    Raises      ShapeError, DataError when the scale does not fit
    """

    trainable: ClassVar[bool] = False
    letters: ClassVar[dict[str, str]] = {"scale": "α"}

    def __init__(self, scale: Any = None) -> None:
        self.scale = None if scale is None else np.asarray(scale)

    def __repr__(self) -> str:
        return "Bits()" if self.scale is None else f"Bits({self.scale.size} scales)"

    def check(self, name: str, shape: Shape) -> None:
        if self.scale is None:
            return
        if self.scale.shape != shape[-1:]:
            raise ShapeError(
                f"{name!r} has shape {shape}; its scale must be ({shape[-1] if shape else 0},). Got {self.scale.shape}."
            )
        if not np.isfinite(self.scale).all():
            raise DataError(f"the scale of {name!r} must be finite.")

    def scale_of(self, k: Builder, held: Held) -> Value | None:
        return None if self.scale is None else held["scale"]

    def project(self, w: Array) -> Array:
        signs: Array = np.where(w >= 0, w.dtype.type(1), w.dtype.type(-1))
        return signs

    def pack(self, stored: Array) -> dict[str, Array]:
        return {"bits": np.packbits(stored.reshape(-1) >= 0), **self.arrays()}

    @classmethod
    def unpack(
        cls, arguments: Mapping[str, Any], packed: Mapping[str, Array], shape: Shape, dtype: DTypeLike
    ) -> tuple[Representation, Array]:
        bits, size = packed["bits"], math.prod(shape)
        if bits.dtype != np.uint8 or bits.shape != (math.ceil(size / 8),):
            raise ModelFileError(f"the bits of an array of shape {shape} are damaged.")
        signs: Array = np.where(np.unpackbits(bits, count=size), 1, -1).astype(dtype)
        how = cls(packed.get("scale"))
        how.check("", shape)
        return how, signs.reshape(shape)


def representation_of(given: Representation | tuple[str, Mapping[str, Any]]) -> Representation:
    """The representation that a layer asks for, by itself or by (name, arguments)."""
    if isinstance(given, Representation):
        return given
    name, arguments = given
    return Representation.registry[name](**arguments)


class LowPrecision(Representation):
    """A parameter of numbers of 16 bits that no fit changes: it takes half the place in a file.

    It is rounded once, to the nearest, when it is held so; what is computed with is the same before and after a file.

    Parameters  kind : "bfloat16" (8 bits of exponent, 7 of fraction) or "float16" (5 and 10; up to 65,504) = "bfloat16"
    Raises      ParameterError for another kind ; DataError when a number is too large for float16

    Example
        >>> LowPrecision().project(np.array([1.001, 3.14159], np.float32)).tolist()
        [1.0, 3.140625]
    """

    trainable: ClassVar[bool] = False

    def __init__(self, kind: str = "bfloat16") -> None:
        self.kind = kind

    def check(self, name: str, shape: Shape) -> None:
        if self.kind not in ("bfloat16", "float16"):
            raise ParameterError(f'LowPrecision: kind must be "bfloat16" or "float16". Got {self.kind!r}.')

    def project(self, w: Array) -> Array:
        return self._whole(self._short(w)).astype(w.dtype)

    def _short(self, w: Array) -> Array:
        """The 16 bits of each number, rounded to nearest, ties to even."""
        if self.kind == "float16":
            with np.errstate(over="ignore"):
                half = w.astype(np.float16)
            if (np.isinf(half) & np.isfinite(w)).any():
                raise DataError('LowPrecision: numbers above 65,504 have no place in float16. Use kind="bfloat16".')
            return half.view(np.uint16)
        bits = np.ascontiguousarray(w, np.float32).view(np.uint32)
        rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
        return np.where(np.isnan(w), np.uint16(0x7FC0), rounded.astype(np.uint16))

    def _whole(self, short: Array) -> Array:
        if self.kind == "float16":
            return short.view(np.float16).astype(np.float32)
        return (short.astype(np.uint32) << np.uint32(16)).view(np.float32)

    def pack(self, stored: Array) -> dict[str, Array]:
        return {"bits": self._short(stored)}

    @classmethod
    def unpack(
        cls, arguments: Mapping[str, Any], packed: Mapping[str, Array], shape: Shape, dtype: DTypeLike
    ) -> tuple[Representation, Array]:
        how, bits = cls(**arguments), packed["bits"]
        how.check("", shape)
        if bits.dtype != np.uint16 or bits.shape != shape:
            raise ModelFileError(f"the 16-bit numbers of an array of shape {shape} are damaged.")
        return how, how._whole(np.ascontiguousarray(bits)).astype(dtype)


class Int8(Representation):
    """A parameter of whole numbers of 8 bits with a scale for each output, that no fit changes.

    It takes a quarter of the place in a file. It is rounded once, to the nearest, when it is held so. A packed network
    (``net.pack()``) multiplies its whole numbers with inputs that are rounded, too: x stands for ``(n − zero) · scale``
    with n from 0 to 127. ``net.quantize(X)`` finds the scale of the inputs.

    Parameters  scale : of the inputs, finite and above 0 ; zero : the number that stands for 0, from 0 to 127 = 0
    Raises      ParameterError for a scale or zero out of its range, and for a parameter without outputs

    Example
        >>> Int8(scale=0.1).project(np.array([[0.5], [-1.0]], np.float32)).round(3).tolist()
        [[0.504], [-1.0]]
    """

    trainable: ClassVar[bool] = False

    def __init__(self, scale: float, zero: int = 0) -> None:
        self.scale, self.zero = scale, zero

    def check(self, name: str, shape: Shape) -> None:
        number = isinstance(self.scale, (int, float)) and not isinstance(self.scale, bool)
        if not number or not 0 < self.scale < math.inf:
            raise ParameterError(f"Int8: scale must be a finite number above 0. Got {self.scale!r}.")
        if isinstance(self.zero, bool) or not isinstance(self.zero, int) or not 0 <= self.zero <= HIGHEST:
            raise ParameterError(f"Int8: zero must be an int from 0 to {HIGHEST}. Got {self.zero!r}.")
        if len(shape) < 2 or not math.prod(shape):
            raise ParameterError(
                f"Int8: {name!r} has shape {shape}; only matrices and kernels have outputs with a scale each."
            )  # fmt: skip

    def project(self, w: Array) -> Array:
        return Int8Weights.of(w).to_dense(w.dtype)

    def pack(self, stored: Array) -> dict[str, Array]:
        found = Int8Weights.of(stored)
        return {"values": found.values, "scales": found.scales}

    @classmethod
    def unpack(
        cls, arguments: Mapping[str, Any], packed: Mapping[str, Array], shape: Shape, dtype: DTypeLike
    ) -> tuple[Representation, Array]:
        how = cls(**arguments)
        how.check("", shape)
        found = Int8Weights(packed["values"], packed["scales"])
        if found.shape != shape:
            raise ModelFileError(f"the 8-bit numbers of an array of shape {shape} are damaged.")
        return how, found.to_dense(dtype)


def unpack_of(name: str) -> Callable[..., tuple[Representation, Array]]:
    """``unpack`` of the class of this name. ModelFileError when it is not known here."""
    if name not in Representation.registry:
        raise ModelFileError(
            f"the representation {name!r:.100} is not known here. If it is your own, import the module that defines it "
            f"first."
        )
    return Representation.registry[name].unpack
