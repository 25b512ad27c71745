"""How much of a file may be read into memory."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["machine_memory", "memory_limit"]

#: Bytes of memory where the machine does not say how much it has.
_UNKNOWN_MEMORY = 4 * 2**30


def memory_limit(given: int | None) -> int:
    """The most bytes to read: the number given, or a quarter of the machine's (or its container's) memory."""
    return machine_memory() // 4 if given is None else given


def machine_memory() -> int:
    """The bytes of memory of the machine, or of the container that the process is in."""
    sizes = []
    with suppress(AttributeError, OSError, ValueError):
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for place in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # no container, or "max"
            sizes.append(int(Path(place).read_text()))
    known = [size for size in sizes if size > 0]
    return min(known) if known else _UNKNOWN_MEMORY
