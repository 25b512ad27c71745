"""Every compiled kernel: in which module it lies, and the groups that are compiled and loaded together.

It knows names only and imports nothing beside it, since a wheel is built with it; `compiled` imports Numba and compiles.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

#: Groups of modules with their kernels. What every network needs comes first; the rest is compiled when first asked for.
GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "common": {
        "elementwise": ("elementwise",),
        "move": (
            "copy_blocks", "feed", "feed_scalars", "gather", "keep_scalar", "one_hot", "permute", "scatter_add",
            "to_bfloat16", "unique_rows", "take_rows", "put_rows",
        ),
        "product": ("primitive", "row_product", "product_by_blocks", "product_with_panels", "sgemm"),
        "reduce": ("reduce",),
        "rows": ("argmax", "softmax", "softmax_cross_entropy"),
        "runner": ("run_job", "work_forever"),
        "moments": ("moments",),
    },
    "images and graphs": {
        "window": (
            "max_pool", "max_pool_backward", "average_pool", "average_pool_backward", "interpolate", "pad",
        ),
        "columns": ("image_to_columns", "columns_to_image"),
        "winograd": ("winograd_tiles", "winograd_products", "winograd_outputs", "winograd_weights"),
        "channel_moments": ("channel_moments", "join_channel_moments"),
        "weights": ("block_weights", "unblock_weights"),
        "sparse": ("sparse_product",),
        "pictures": ("resample",),
    },
    "inputs of sparse rows": {"sparse_rows": ("sparse_rows_product", "sparse_rows_gradient")},
    "compressed weights": {
        "sparse_weights": ("to_planes", "sparse_planes", "sparse_line"),
        "bits": (
            "sign_product", "sign_product_bits", "signed_product", "sign_bits", "pack_signs", "bit_windows",
            "without_border",
        ),
    },
    "training of sparse weights": {"kept": ("gather_kept", "scatter_kept", "kept_outer")},
    "weights of 8 bits": {"int8": ("quantize",)},
    "sequences": {
        "recurrent": (
            "simple_rnn", "simple_rnn_backward", "lstm", "lstm_backward", "gru_after", "gru_before", "gru_backward",
            "previous_states", "sequence_mask",
        ),
        "attention": ("attention", "attention_backward"),
    },
    "alignment": {
        "alignment": ("ctc", "label_error_rate"),
    },
    "boxes": {"boxes": ("suppress", "match_boxes")},
}  # fmt: skip


def group_of(kernel: str) -> str:
    """The group that a kernel belongs to."""
    return next(group for group, modules in GROUPS.items() if any(kernel in names for names in modules.values()))


def compiled(group: str, progress: Callable[[float], None] | None = None) -> dict[str, Any]:
    """The kernels of a group by name, as Numba's functions; ``progress`` is called with the share that is compiled."""
    found = {}
    for done, (module, names) in enumerate(GROUPS[group].items(), 1):
        loaded = import_module(f".{module}", __package__)
        found |= {name: getattr(loaded, name) for name in names}
        if progress is not None:
            progress(done / (len(GROUPS[group]) + 1))  # the last part is LLVM's code for the processor
    return found


def fingerprint() -> str:
    """A hash of all sources of kernels, by which it is told whether what a wheel brings along was made from them."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
