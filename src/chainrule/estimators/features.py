"""From X as users give it to what the network takes: rows of numbers, pictures and other arrays, sparse matrices, texts."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data import Sequences, as_features, check_features
from ..data.sparse import is_sparse, sparse_rows
from ..data.text import Tokenizer, as_texts, get_tokenizer, is_text
from ..errors import DtypeError, ShapeError
from ..layers import Layer, Tensor
from ..network import NetworkGraph
from ._contract import check_feature_names
from .parameters import Parameters
from .scaling import mean_and_scale, needs_scaling, row_parts

if TYPE_CHECKING:
    from ..pretrained import Body

__all__ = ["Features"]

Floats = NDArray[np.float64]
#: A memory map of fewer bytes than this is read whole, so that training does not go to the disk for every batch.
_SMALL_MAP_BYTES = 256 * 2**20


class Features(Parameters):
    """Reads X for an estimator, and remembers of the first X what all others must have.

    Attributes  (after a fit) tokenizer_ : the fitted tokenizer of texts, None for numbers ; n_features_in_, sample_shape_,
                feature_names_in_ : for numbers ; input_mean_, input_scale_ : (features,) by which columns are scaled,
                ``(x − mean) / scale``, None where X goes to the network as it is
    """

    tokenizer_: Tokenizer | None
    n_features_in_: int
    sample_shape_: tuple[int, ...]
    pixel_range_: float
    input_mean_: Floats | None
    input_scale_: Floats | None

    def _features(self, X: Any, *, reset: bool) -> Any:
        """X as the network takes it. Parameters  reset : X is the first, and what it has is remembered"""
        if is_text(X):
            return self._indices(X, reset=reset)
        if reset:
            if isinstance(X, (str, bytes)):
                as_texts(X)
            self.tokenizer_ = None
        elif self._takes_texts():
            if isinstance(X, (list, tuple, np.ndarray)) and not len(X):
                as_texts([])
            found = repr(X) if isinstance(X, str) and len(X) < 40 else type(X).__name__
            raise DtypeError(f"X must be a list of texts, as in fit. Got {found}. A single text goes into a list: [text].")
        check_feature_names(self, X, reset=reset)
        if is_sparse(X):
            array: Any = sparse_rows(X, dtype=self._dtype())
            given = array.shape
        else:
            # Rows of numbers for hidden layers; layers of the user's own may take pictures, sequences or volumes.
            axes = self._axes()
            whole = isinstance(X, np.memmap) and X.ndim in axes and X.dtype.kind in "biuf" and X.nbytes > _SMALL_MAP_BYTES
            # A large memory map stays on disk: the network checks and converts it part by part.
            array = X if whole else as_features(_in_memory(X), dtype=self._reading_dtype(X, reset), ndim=axes)
            given = array.shape
            if array.ndim == 3 and self._takes_channels(reset=reset):
                array = array[..., None]  # grey pictures (N, H, W)
        if reset and self._is_pretrained:
            if len(array.shape) != 4:
                raise ShapeError(
                    f"{type(self).__name__}: pretrained bodies take pictures (N, H, W, C) or texts. Got X of shape {given}."
                )
            whole_numbers = getattr(X, "dtype", np.dtype(float)).kind in "iu"
            self.pixel_range_ = 255.0 if whole_numbers or float(np.max(array[:256])) > 1 else 1.0
        if reset:
            self.sample_shape_ = tuple(int(size) for size in array.shape[1:])
            self.n_features_in_ = math.prod(self.sample_shape_)
        elif len(self.sample_shape_) == 1 and len(array.shape) == 2:
            check_features(array, self.n_features_in_, owner=type(self).__name__)
        elif array.shape[1:] != self.sample_shape_:
            wanted = ", ".join(map(str, ("N", *self.sample_shape_)))
            alone = given in (self.sample_shape_, self.sample_shape_[:-1])
            cure = (
                "Pass a single one as X[None]." if alone else "Bring them to that shape, such as pictures by resizing them."
            )
            raise ShapeError(
                f"X has shape {given}, but this {type(self).__name__} was fitted on samples of shape ({wanted}). {cure}"
            )
        return array

    def _body(self, kind: str | None = None) -> Body:
        """The body that has learned before; loaded anew where it is asked for, so that it takes no memory meanwhile."""
        from ..pretrained import load_body

        kind = kind or ("texts" if self._takes_texts() else "pictures")
        size = None if kind == "texts" else (self.sample_shape_[0], self.sample_shape_[1])
        name = self.architecture
        fixed = name is not None and name.replace("-", "_") != "efficientnet_lite0"
        channels = 3 if kind == "texts" else self.sample_shape_[2]
        return load_body(
            self.pretrained, kind, architecture=name, size=size if fixed else None, channels=channels, dtype=self._dtype()
        )  # fmt: skip

    # ------------------------------------------------------------ scale

    def _may_scale(self) -> bool:
        """Whether rows of numbers are scaled where they need it."""
        if isinstance(self.scale_inputs, str) or self._is_pretrained:
            return self._given_layers is None  # layers of the user's own get X as it is
        return bool(self.scale_inputs)

    def _reading_dtype(self, X: Any, reset: bool) -> Any:
        """Numbers that are to be scaled are read in float64, since a mean may hide their spread in fewer digits."""
        scaled = self._may_scale() if reset else getattr(self, "input_scale_", None) is not None
        own = self._feature_dtype()
        if isinstance(X, np.ndarray) and np.can_cast(X.dtype, own):
            return own  # no digits are lost
        axes = len(X.shape) if hasattr(X, "shape") else 2  # deeper lists are narrowed afterwards
        return np.float64 if scaled and axes == 2 and np.issubdtype(own, np.floating) else own

    def _learn_scale(self, X: Any) -> None:
        """What the first X fixes: whether, and by what, its columns are scaled."""
        self.input_mean_ = self.input_scale_ = None
        if isinstance(X, np.ndarray) and not isinstance(X, np.memmap) and X.ndim == 2 and self._may_scale():
            mean, scale = mean_and_scale(X)
            if self.scale_inputs is True or needs_scaling(X, mean, scale):
                self.input_mean_, self.input_scale_ = mean, scale
        if self.input_scale_ is not None and self.verbose:
            print("The columns of X are scaled to mean 0 and standard deviation 1 (scale_inputs; see input_scale_).")

    def _scaled(self, X: Any) -> Any:
        """X as the network takes it, once it is known how."""
        if not isinstance(X, np.ndarray) or isinstance(X, np.memmap):
            return X
        if self.input_scale_ is not None:
            found = np.empty(X.shape, self._dtype())
            with np.errstate(over="ignore"):
                for rows in row_parts(X):
                    found[rows] = (X[rows] - self.input_mean_) / self.input_scale_
            return as_features(found, dtype=self._dtype())
        return as_features(X, dtype=self._feature_dtype()) if X.dtype != self._feature_dtype() else X

    # ------------------------------------------------------------ what kind of X

    def _axes(self) -> tuple[int, ...]:
        """How many axes X may have."""
        return (2,) if self._given_layers is None else (2, 3, 4, 5)

    def _takes_channels(self, *, reset: bool) -> bool:
        """Whether a sample is a picture (H, W, C), so that one without channels lacks its last axis."""
        if not reset:
            return len(self.sample_shape_) == 3
        if isinstance(self._given_layers, str):
            return True  # an architecture for pictures
        first = self.layers
        while isinstance(first, (NetworkGraph, list, tuple)) and not isinstance(first, Tensor):
            if isinstance(first, NetworkGraph):
                shapes = first.declared_input_shapes()
                if shapes is not None:
                    return len(shapes[0]) == 3
                first = first.calls[0].layer if first.calls else None
            else:
                first = first[0] if first else None
        if isinstance(first, Tensor):
            return first.shape is not None and len(first.shape) == 3
        return getattr(first, "axes", None) == 2  # convolution and pooling of pictures

    def _takes_texts(self) -> bool:
        """Whether it was fitted on texts."""
        return getattr(self, "tokenizer_", None) is not None

    def _indices(self, X: Any, *, reset: bool) -> Sequences:
        """Texts as sequences of indices of the vocabulary, which the first ones fix."""
        texts = as_texts(X)
        if reset:
            for name in ("n_features_in_", "sample_shape_", "feature_names_in_"):
                if hasattr(self, name):
                    delattr(self, name)
            made = copy.deepcopy(get_tokenizer(self.tokenizer))
            if self._is_pretrained:
                body = self._body("texts")
                assert body.tokenizer is not None
                made = copy.deepcopy(body.tokenizer)
            # A tokenizer that has a vocabulary already, such as one of other texts, keeps it.
            self.tokenizer_ = made if hasattr(made, "vocabulary_") else made.fit(texts)
        elif not self._takes_texts():
            raise DtypeError(
                f"X holds texts, but this {type(self).__name__} was fitted on {self.n_features_in_} features: numbers."
            )
        return self._vocabulary().encode(texts, choose_limit=reset)

    def _vocabulary(self) -> Tokenizer:
        assert self.tokenizer_ is not None
        return self.tokenizer_

    def _feature_dtype(self) -> Any:
        """Numbers in the network's precision; indices for a network that takes indices."""
        network = self.layers if isinstance(self.layers, NetworkGraph) else None
        if (
            network is None
            and isinstance(self.layers, Sequence)
            and not isinstance(self._given_layers, str)
            and len(self.layers)
        ):
            first = self.layers[0]
            indices = isinstance(first, Layer) and first.index_limit() is not None
            return np.int32 if indices or getattr(first, "dtype", None) == "int" else np.dtype(self._dtype())
        if network is not None and network.input_dtypes[0] == "int":
            return np.int32
        return np.dtype(self._dtype())

    def _dtype(self) -> str:
        return "float64" if self.precision == "float64" else "float32"


def _in_memory(X: Any) -> Any:
    return np.array(X) if isinstance(X, np.memmap) else X
