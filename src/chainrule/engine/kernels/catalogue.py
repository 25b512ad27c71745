"""Every compiled kernel by name. Importing this module imports Numba and compiles; only ``library.py`` does so."""

from __future__ import annotations

from typing import Any

from .attention import attention, attention_backward
from .channel_moments import channel_moments, join_channel_moments
from .elementwise import elementwise
from .moments import moments
from .move import (
    copy_blocks,
    feed,
    feed_scalars,
    gather,
    keep_scalar,
    one_hot,
    permute,
    put_rows,
    scatter_add,
    take_rows,
    to_bfloat16,
    unique_rows,
)
from .pictures import resample
from .product import primitive, row_product, sgemm
from .recurrent import (
    gru_after,
    gru_backward,
    gru_before,
    lstm,
    lstm_backward,
    previous_states,
    sequence_mask,
    simple_rnn,
    simple_rnn_backward,
)
from .reduce import reduce
from .rows import argmax, softmax, softmax_cross_entropy
from .runner import run_job, work_forever
from .sparse import sparse_product
from .weights import block_weights, unblock_weights
from .window import average_pool, average_pool_backward, columns_to_image, interpolate, max_pool, max_pool_backward, pad

KERNELS: dict[str, Any] = {
    f.__name__: f
    for f in (
        elementwise, copy_blocks, feed, feed_scalars, gather, keep_scalar, one_hot, permute, primitive, scatter_add,
        row_product, sgemm, to_bfloat16, moments,
        sparse_product, resample,
        max_pool, max_pool_backward, average_pool, average_pool_backward, interpolate, pad, columns_to_image,
        channel_moments, join_channel_moments, block_weights, unblock_weights,
        reduce, argmax, softmax, softmax_cross_entropy, run_job, work_forever,
        simple_rnn, simple_rnn_backward, lstm, lstm_backward, gru_after, gru_before, gru_backward, previous_states,
        sequence_mask, attention, attention_backward, unique_rows, take_rows, put_rows,
    )
}  # fmt: skip
