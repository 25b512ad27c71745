"""Products of signs by the kernel that NUMBA_CPU_NAME and NUMBA_CPU_FEATURES ask for, against the dense products.

Prints the name of the kernel, as ``chainrule info`` does, and how many products agree.
"""

from __future__ import annotations

import ctypes

import numpy as np

from chainrule.engine.kernels import bits
from chainrule.engine.kernels.library import sign_kernel
from chainrule.engine.kernels.target import features
from chainrule.ops import SignMatrix
from chainrule.ops.sign_matrix import BLOCK, pack_signs, words_of

print(sign_kernel(features()))
rng, agree = np.random.default_rng(0), 0
product = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 4)(bits.sign_product.address)
for rows, inputs, outputs in ((1, 64, 8), (5, 130, 20), (33, 1000, 70)):
    x, w = rng.normal(size=(rows, inputs)), rng.normal(size=(inputs, outputs))
    signs, packed, words = SignMatrix.of(w), pack_signs(x), words_of(inputs)
    y, memory = np.full((rows, outputs), np.nan, np.float32), np.zeros(512, np.uint8)
    sizes = [rows, 0, -(-outputs // BLOCK), outputs, words, inputs]
    places = [packed.ctypes.data, words, signs.bits.ctypes.data, y.ctypes.data, outputs, memory.ctypes.data]
    product(np.array([*sizes, *places], np.int64).ctypes.data, 0, 0, 0)
    agree += bool((y == np.where(x >= 0, 1, -1) @ signs.to_dense()).all())
print(f"{agree} products agree")
