"""Networks of other libraries: ONNX, PyTorch, Keras, Caffe and MXNet in, ONNX out.

Readers make a network of the class that they are given; ``chainrule.importing`` gives them ``Network``.
"""
