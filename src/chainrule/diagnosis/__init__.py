"""Why a network does not learn: statistics of its steps, the explanation along the chain rule, rules and their findings."""

from .change import KINDS, Change
from .diagnosis import Diagnosis
from .finding import SEVERITIES, Finding, Threshold

__all__ = ["KINDS", "SEVERITIES", "Change", "Diagnosis", "Finding", "Threshold"]
