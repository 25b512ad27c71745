"""Laws for the first values of parameters, before training.

An initialiser is called with a shape, a random generator and the fans of the layer; it knows nothing of
layers or networks. `get` finds one by name, `default_for` the one that fits an activation, and
`compute_fans` counts what a weight connects.
"""

from chainrule.initializers.base import Initializer
from chainrule.initializers.constant import Constant, Ones, Zeros
from chainrule.initializers.defaults import default_for
from chainrule.initializers.fans import compute_fans
from chainrule.initializers.glorot import GlorotNormal, GlorotUniform
from chainrule.initializers.he import HeNormal, HeUniform
from chainrule.initializers.lecun import LeCunNormal, LeCunUniform
from chainrule.initializers.lsuv import LSUV
from chainrule.initializers.normal import Normal
from chainrule.initializers.orthogonal import Orthogonal
from chainrule.initializers.registry import INITIALIZERS, get
from chainrule.initializers.truncated_normal import TruncatedNormal
from chainrule.initializers.uniform import Uniform

__all__ = [
    "INITIALIZERS",
    "LSUV",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "LeCunNormal",
    "LeCunUniform",
    "Normal",
    "Ones",
    "Orthogonal",
    "TruncatedNormal",
    "Uniform",
    "Zeros",
    "compute_fans",
    "default_for",
    "get",
]
