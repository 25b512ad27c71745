"""One file for each library that is measured. A library is imported only in the process that measures it."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from .base import Peer

__all__ = ["PEERS", "Peer", "installed", "load"]

#: By the name of the option ``--peers``; chainrule is always measured. The value is the module here.
PEERS = {
    "chainrule": "chainrule_",
    "torch": "torch_",
    "jax": "jax_",
    "sklearn": "sklearn_",
    "onnxruntime": "onnxruntime_",
}


def load(name: str) -> type[Peer]:
    """The class of a peer. Imports no library."""
    found: type[Peer] = import_module(f"{__name__}.{PEERS[name]}").Measured
    return found


def installed(name: str) -> dict[str, str] | None:
    """Versions of all the distributions that a peer needs; None when one is not installed."""
    try:
        return {d: version(d) for d in load(name).distributions}
    except PackageNotFoundError:
        return None
