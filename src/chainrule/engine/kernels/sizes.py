"""Sizes that kernels and those who call them agree on; importing them does not import Numba."""

#: Floats of a vector of the processor.
VECTOR = 16
#: Rows of a product whose last columns are computed beside the result.
SHEET = 48
#: Rows of a batch that go through time together; see recurrent.py.
ROWS = 48
#: Positions that sparse weights meet at a time, at most, and outputs that are turned back into rows of channels together.
PANEL, OUTPUTS = 128, 16
#: Rows and columns of a block of the right side of a product; see product.py.
BLOCK_DEPTH, BLOCK_COLUMNS = 256, 128
#: Rows of floats that are multiplied by signs together, and most rows of signs whose sums wait to become bits.
SIGNED_ROWS, MOST_ROWS = 16, 256
#: Places of a transformed tile of 4 × 4 pixels; see winograd.py.
PLACES = 16
