"""The settings of a training on texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..option import option
from ..settings import TabularSettings, check_fine_tuning, fine_tuning, hidden_layers, pretrained_body

if TYPE_CHECKING:
    from ...constraints import Constraint

__all__ = ["TextSettings"]


def _tokenizers() -> Iterable[str]:
    from ...data.text import Tokenizer

    return sorted(Tokenizer.registry)


@dataclass(frozen=True, kw_only=True)
class TextSettings(TabularSettings):
    """The settings of a training on the texts of one column.

    Example
        >>> TextSettings(data="reviews.csv", text="review", target="label").tokenizer
        'words'
    """

    text: str | None = option(None, str, "Column whose texts are learned from.", metavar="COLUMN")
    tokenizer: str = option(
        "words", str, "What a text is cut into: words, characters or byte_pairs.", metavar="NAME", known=_tokenizers
    )

    pretrained: str | None = pretrained_body("texts")
    fine_tune: bool = fine_tuning()

    #: Texts are learned by heart sooner than tables, so there are fewer units.
    hidden: tuple[int, ...] = hidden_layers(100)

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        from ...constraints import OneOf

        return {**super().constraints(), "tokenizer": OneOf(*_tokenizers())}

    def check_together(self) -> None:
        from ...errors import ParameterError

        super().check_together()
        check_fine_tuning(self)
        if self.pretrained is not None:
            # A body brings its tokenizer, and what follows it is one layer.
            for name, default in (("tokenizer", "words"), ("hidden", (100,)), ("activation", "relu")):
                if getattr(self, name) != default:
                    raise ParameterError(
                        f"--{name} does not go with --pretrained, which says it, too. Leave one of them out."
                    )
        if self.text is not None and self.text == self.target:
            raise ParameterError(
                f"--text and --target are both {self.text!r}. Name the column of texts, and the one to predict."
            )
