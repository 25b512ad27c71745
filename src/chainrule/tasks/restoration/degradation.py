"""What all ways in which pictures are spoilt have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...metrics import PSNR, SSIM

if TYPE_CHECKING:
    from ...model import Network
    from .any_size import AnySize

__all__ = ["Degradation", "Pair", "likeness"]

Array = NDArray[Any]


class Pair(NamedTuple):
    """A picture to learn from. Parameters  source : what the network sees of it ; target : what it is to make of that"""

    source: Array
    target: Array


class Degradation(ABC):
    """One way in which pictures are spoilt: which pairs teach a network to undo it, and how its outputs become pictures.

    Pictures are (H, W, C) with C = 1 or 3, bytes where they are learned from and numbers in [0, 1] elsewhere.

    Attributes
        task : what the user calls it ; result : what a restored picture is called ; before : what a spoilt one is called
        patch : side of the patches to learn from ; step : patches and padded pictures have sides that are multiples of it
        source_shrink, target_shrink : how many times smaller source and target of a pair are than the picture
        turns : whether a picture that was turned by 90 degrees is as good to learn from
        channels : of the pictures that a network of this kind is trained on, None where the pictures decide
        loss : of the network's outputs ; metrics : that the training shows ; class_weight : of the classes of outputs
    """

    task: ClassVar[str]
    result: ClassVar[str]
    before: ClassVar[str]
    patch: ClassVar[int]
    turns: ClassVar[bool] = True
    step: int = 1
    source_shrink: int = 1
    target_shrink: int = 1
    channels: int | None = None
    loss: str = "squared_error"
    metrics: Sequence[str] = ()
    class_weight: Array | None = None

    # ------------------------------------------------------------ learning

    @abstractmethod
    def network(self, side: int, *, width: int, depth: int, random_state: int, dtype: str) -> Network:
        """A new network for patches of this side."""

    @abstractmethod
    def pair(self, picture: Array) -> Pair:
        """Source and target, as small as they can be kept, of a picture of bytes."""

    def study(self, pairs: Sequence[Pair]) -> None:
        """Takes from all pairs to learn from what it must know about them, such as their mean colour."""
        return

    @abstractmethod
    def batch(self, sources: Array, targets: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """Inputs and targets of a step from patches (N, H, W, C) of pairs."""

    # ------------------------------------------------------------ using

    @abstractmethod
    def restored(self, picture: Array, network: AnySize) -> Array:
        """The restored picture, numbers in [0, 1], from a spoilt one (H, W, C)."""

    @abstractmethod
    def spoilt(self, picture: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """(the spoilt picture, the truth that a restored one is compared with) of a good picture."""

    @abstractmethod
    def scores(self, restored: Array, given: Array, truth: Array) -> dict[str, float]:
        """How near the restored picture is to the truth, beside what comes without a network."""

    # ------------------------------------------------------------ files and words

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """The arguments that make it again, as plain data."""

    @abstractmethod
    def description(self) -> list[tuple[str, str]]:
        """Pairs of a word and what it is, for people."""

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Degradation:
        """What ``state`` of one of the kinds described. Raises  KeyError for a task that there is not"""
        from .lost_colour import LostColour
        from .low_resolution import LowResolution
        from .noise import Noise

        kinds: dict[str, Any] = {kind.task: kind for kind in (Noise, LostColour, LowResolution)}
        given = dict(state)
        made: Degradation = kinds[given.pop("task")](**given)
        return made


def likeness(picture: Array, truth: Array, *, structure: bool = True) -> dict[str, float]:
    """PSNR in decibels and, where the pictures are large enough, SSIM. Parameters  structure : whether SSIM is wanted"""
    found = {"PSNR": float(PSNR()(truth[None], picture[None]))}
    if structure and min(truth.shape[:2]) >= SSIM().window:
        found["SSIM"] = float(SSIM()(truth[None], picture[None]))
    return found
