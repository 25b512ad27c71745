"""Sizes that kernels and those who call them agree on; importing them does not import Numba."""

#: Floats of a vector of the processor.
VECTOR = 16
#: Rows of a batch that go through time together; see recurrent.py.
ROWS = 48
