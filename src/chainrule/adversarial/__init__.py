"""Adversarial samples: small changes of the input, found by its gradient, that mislead a network; and training against
them."""

from .base import Attack
from .batches import AdversarialBatches
from .fgsm import FGSM
from .pgd import PGD

__all__ = ["FGSM", "PGD", "AdversarialBatches", "Attack"]
