"""The machine and what is installed on it, recorded with every result."""

from __future__ import annotations

import os
import platform
import re
import time
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

__all__ = ["describe", "installed_mb", "usable_cpus"]


def usable_cpus() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe(threads: int) -> dict[str, Any]:
    """Processor, operating system, Python and date."""
    return {
        "cpu": _cpu(),
        "cpus": usable_cpus(),
        "threads": threads,
        "memory_gb": round(_memory_gb(), 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()

    def field(name: str) -> str:
        found = re.search(rf"^{name}\s*: (.*)$", text, re.MULTILINE)
        return found.group(1).strip() if found else ""

    flags = field("flags").split()
    widest = next((f for f in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if f in flags), "")
    family = f"family {field('cpu family')} model {field('model')}" if field("cpu family") else ""
    return ", ".join(part for part in (field("model name") or platform.machine(), family, widest) if part)


def _memory_gb() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, OSError, AttributeError):
        return float("nan")


def installed_mb(name: str) -> float:
    """Megabytes on the disk of a distribution and all that it requires, without extras."""
    total, seen, waiting = 0, set[str](), [name]
    while waiting:
        key = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if key in seen:
            continue
        seen.add(key)
        try:
            found = distribution(key)
        except PackageNotFoundError:
            continue  # required only elsewhere, or not installed
        total += _size(found)
        waiting += [
            re.split(r"[\s;<>=!~\[(]", requirement, maxsplit=1)[0]
            for requirement in found.requires or []
            if "extra ==" not in requirement and "extra==" not in requirement
        ]
    return total / 2**20


def _size(found: Distribution) -> int:
    paths = [Path(str(found.locate_file(file))) for file in found.files or []]
    total = sum(path.stat().st_blocks * 512 for path in paths if path.is_file())
    if any(path.suffix == ".pth" for path in paths) and found.metadata["Name"] == "chainrule":
        # An editable installation: the package lies in the checkout.
        import chainrule

        source = Path(chainrule.__file__).parent
        total += sum(p.stat().st_blocks * 512 for p in source.rglob("*.py"))
    return total
