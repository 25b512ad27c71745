"""Builds the wheel; with compiled kernels for common processors, and without Numba, where ``make wheel`` has made them."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

KERNELS = "src/chainrule/engine/kernels"


def has_compiled_kernels(root: str) -> bool:
    """Whether kernels lie there that were compiled from these very sources."""
    spec = spec_from_file_location("catalogue", Path(root) / KERNELS / "catalogue.py")
    assert spec is not None and spec.loader is not None
    catalogue = module_from_spec(spec)
    spec.loader.exec_module(catalogue)
    try:
        return (Path(root) / KERNELS / "compiled" / "made-from.txt").read_text() == catalogue.fingerprint()
    except OSError:
        return False


class Dependencies(MetadataHookInterface):
    """The required libraries; Numba is one of them only where kernels must be compiled on the user's machine."""

    def update(self, metadata: dict[str, Any]) -> None:
        more = [] if has_compiled_kernels(self.root) else self.config["without-compiled-kernels"]
        metadata["dependencies"] = [*self.config["dependencies"], *more]


class CompiledKernels(BuildHookInterface):
    """Puts compiled kernels into the wheel, which is then one for Linux on x86-64 and any Python 3."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard" and has_compiled_kernels(self.root):
            build_data["artifacts"].append(f"/{KERNELS}/compiled/*")
            build_data["pure_python"] = False
            build_data["tag"] = "py3-none-manylinux_2_17_x86_64"
