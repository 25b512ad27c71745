"""Why a network does not learn: statistics of its steps, the explanation along the chain rule, rules and their findings."""

from .case import Case
from .chain import Block, Chain, Gain
from .change import KINDS, Change
from .diagnosis import Diagnosis
from .finding import SEVERITIES, Finding, Threshold
from .rule import Rule
from .statistics import Statistics
from .through_time import TimeChain

__all__ = [
    "KINDS", "SEVERITIES", "Block", "Case", "Chain", "Change", "Diagnosis", "Finding", "Gain", "Rule", "Statistics",
    "Threshold", "TimeChain",
]  # fmt: skip
