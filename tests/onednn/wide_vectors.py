"""Makes the kernels for compressed weights as a processor with vectors of 512 bits would have them, and runs their tests.

``python tests/onednn/wide_vectors.py [counts] TESTS`` is run by test_compressed.py. The code is compiled for this processor,
which does two halves of each vector; "counts" is with the processor's own counting of bits, which LLVM replaces.
"""

from __future__ import annotations

import sys
from unittest import mock

import llvmlite.binding as llvm
import pytest

import chainrule.engine.kernels.intrinsics as intrinsics

if __name__ == "__main__":
    own = dict(llvm.get_host_cpu_features())
    features = own | {"avx512vpopcntdq": "counts" in sys.argv, "avx512bw": False}
    lanes, intrinsics.LANES = intrinsics.LANES, 16
    with mock.patch.object(llvm, "get_host_cpu_features", lambda: features):
        import chainrule.engine.kernels.bits as bits
        import chainrule.engine.kernels.sparse_weights as sparse_weights
    intrinsics.LANES = lanes
    assert (16, 8, "counts" in sys.argv) == (sparse_weights.WIDTH, bits.WORDS, bits.COUNTS)
    import chainrule.engine.onednn.compressed as compressed

    compressed._panel = lambda: 128
    chosen = sys.argv[-1]
    sys.exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-k", chosen, "tests/onednn/test_compressed.py"]))
