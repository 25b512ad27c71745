"""Compiled kernels for what oneDNN lacks.

They are written in Numba, compiled once on a machine, and kept as object code in the user's cache folder; later processes
load that with llvmlite alone, without importing Numba (``library.py``). Every kernel takes the address of a block of
64-bit words that says everything it needs, so that a plan becomes a table of calls which one compiled loop runs.
"""
