"""Whole tasks: the data, the network, how it is used and how good it is. Each is built of the public parts alone."""

from .sampling import next_token_probabilities, sample
from .text_generator import TextGenerator
from .translator import Translator

__all__ = ["TextGenerator", "Translator", "next_token_probabilities", "sample"]
