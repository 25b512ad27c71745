"""The processors that kernels are compiled for, and what those can do. Importing this module does not import Numba.

Numba compiles for the processor on which it runs, or for the one that NUMBA_CPU_NAME and NUMBA_CPU_FEATURES name. Every
kernel that looks at what the processor has asks ``features()``, so both ways give the same code.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

__all__ = ["SHIPPED", "Target", "best", "features", "machine", "processor"]


@dataclass(frozen=True)
class Target:
    """A class of processors for which a wheel holds compiled kernels.

    Parameters  name : of the class and its files ; shown : as people write it ; cpu : LLVM's name of the processor whose
                code is made ; features : LLVM's names of what this processor has ; flags : Linux's names of what it must
                have
    """

    name: str
    shown: str
    cpu: str
    features: tuple[str, ...]
    flags: frozenset[str]


_V2 = {"cx16": "cx16", "popcnt": "popcnt", "sse3": "pni", "sse4.1": "sse4_1", "sse4.2": "sse4_2", "ssse3": "ssse3"}
_V3 = {
    **{name: name for name in ("avx", "avx2", "bmi2", "f16c", "fma", "movbe")},
    **{**_V2, "bmi": "bmi1", "lzcnt": "abm"},
}
_V4 = {**_V3, **{name: name for name in ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")}}
_COUNTING = {**_V4, "avx512vpopcntdq": "avx512_vpopcntdq", "avx512bitalg": "avx512_bitalg"}

#: From the least to the most able.
SHIPPED = tuple(
    Target(name, shown, cpu, tuple(has), frozenset(has.values()))
    for name, shown, cpu, has in (
        ("sse4", "SSE4", "x86-64-v2", _V2),
        ("avx2", "AVX2", "x86-64-v3", _V3),
        ("avx512", "AVX-512", "x86-64-v4", _V4),
        ("avx512-popcnt", "AVX-512 with counting of bits", "x86-64-v4", _COUNTING),
    )
)


def best(flags: frozenset[str]) -> Target | None:
    """The most able class of shipped kernels that a processor with these flags of Linux can run; None when there is none."""
    return next((target for target in reversed(SHIPPED) if target.flags <= flags), None)


def flags() -> frozenset[str]:
    """What the processor has, in Linux's words; nothing where the system does not say so."""
    if not sys.platform.startswith("linux"):
        return frozenset()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            line = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        line = ""
    return frozenset(line.partition(":")[2].split())


def features() -> dict[str, bool]:
    """LLVM's names of what the processor has for which kernels are being compiled."""
    import llvmlite.binding as llvm
    from numba.core import config

    if config.CPU_NAME or config.CPU_FEATURES:
        return {text[1:]: text[0] == "+" for text in (config.CPU_FEATURES or "").split(",") if text}
    return dict(llvm.get_host_cpu_features())


def processor(llvm: Any) -> tuple[str, str]:
    """LLVM's name and features of the processor for which kernels are being compiled."""
    from numba.core import config

    if config.CPU_NAME or config.CPU_FEATURES:
        return config.CPU_NAME or "generic", config.CPU_FEATURES or ""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def machine(llvm: Any, cpu: str, features: str, *, jit: bool = True) -> Any:
    """LLVM's compiler for a processor; without ``jit`` its code may be linked into a shared library."""
    target = llvm.Target.from_triple(llvm.get_process_triple())
    where = {"jit": True} if jit else {"reloc": "pic", "codemodel": "small"}
    return target.create_target_machine(cpu=cpu, features=features, opt=3, **where)
