"""chainrule beside PyTorch, JAX, scikit-learn and ONNX Runtime, on this machine and in one run: ``python -m benchmarks``."""
