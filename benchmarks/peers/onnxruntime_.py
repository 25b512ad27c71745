"""ONNX Runtime, for predictions. The package ``onnx`` writes the model."""

from __future__ import annotations

from ..workloads import Workload, parameters
from .base import Peer, Predict


class Measured(Peer):
    distributions = ("onnxruntime", "onnx")
    import_statement = "import onnxruntime"
    kinds = ("prediction",)
    note = "one Gemm a layer, all graph optimisations"

    def __init__(self, threads: int, variant: str = "") -> None:
        super().__init__(threads, variant)
        import onnxruntime

        self.library = onnxruntime

    def predictor(self, workload: Workload) -> Predict:
        from onnx import TensorProto, helper, numpy_helper

        nodes, arrays, at = [], [], "x"
        for i, (weight, bias) in enumerate(parameters(workload)):
            arrays += [numpy_helper.from_array(weight, f"weight{i}"), numpy_helper.from_array(bias, f"bias{i}")]
            nodes.append(helper.make_node("Gemm", [at, f"weight{i}", f"bias{i}"], [f"z{i}"]))
            at = f"z{i}"
            if i < len(workload.sizes) - 2:
                nodes.append(helper.make_node("Relu" if workload.activation == "relu" else "Sigmoid", [at], [f"a{i}"]))
                at = f"a{i}"
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", workload.sizes[0]])
        y = helper.make_tensor_value_info(at, TensorProto.FLOAT, ["n", workload.sizes[-1]])
        graph = helper.make_graph(nodes, "mlp", [x], [y], arrays)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        options = self.library.SessionOptions()
        options.intra_op_num_threads = self.threads
        session = self.library.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return lambda x: session.run(None, {"x": x})[0]
