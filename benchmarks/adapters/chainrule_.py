"""chainrule in the harness that times CPU deep-learning libraries on the same networks, data and start weights.

A step of the timed loop is one of ``Trainer``'s: samples are gathered by a list of sample numbers, as in a shuffled fit.
"""

from __future__ import annotations

import numpy as np
from bench import workloads as W
from bench.adapters import Base

_LAYERS = (
    "dense", "relu", "sigmoid", "tanh", "flatten", "gcn", "conv", "convT", "bn", "maxpool", "avgpool", "gap", "res",
    "lstm", "gru", "embed",
)  # fmt: skip
PEERS = {
    "chainrule": dict(
        pip=["."],
        imports="chainrule",
        default=True,
        only=lambda w: all(l[0] in _LAYERS for l in w.layers),
        note="fully connected, convolutional, recurrent and graph networks",
    ),
    "chainrule-bf16": dict(
        pip=["."],
        imports="chainrule",
        default=False,
        exact=False,
        only=lambda w: all(l[0] in _LAYERS for l in w.layers),
        note="products in bfloat16: another precision, not ranked",
    ),
}


def _arrays(params):
    """The parameters' arrays in the order of the layers; those of a residual block are nested."""
    for p in params:
        if isinstance(p, dict) and "bx" in p:
            # Of a GRU's two biases only that of the new value's recurrent product cannot be added to the other.
            units = len(p["bh"]) // 3
            yield from (
                p["Wx"],
                p["Wh"],
                p["bx"] + np.where(np.arange(3 * units) < 2 * units, p["bh"], 0).astype(np.float32),
            )
            yield p["bh"][2 * units :]
        elif isinstance(p, dict):
            yield from p.values()
        else:
            for part in p:
                yield from _arrays(part)


class Adapter(Base):
    def __init__(self, peer, threads):
        super().__init__(peer, threads)
        global cr
        import chainrule as cr

        self.precision = "bfloat16" if peer == "chainrule-bf16" else "float32"

    def version(self):
        return cr.__version__

    def _network(self, layers, shape, params=None, seed=None):
        unknown = [l[0] for l in layers if l[0] not in _LAYERS]
        if unknown:
            raise NotImplementedError(f"no {unknown[0]} yet")
        if any(l[0] == "gcn" for l in layers):
            g = W.graph()
            graph = cr.SparseMatrix.from_entries(g["rows"], g["cols"], g["val"], shape=(g["n"], g["n"]))
            shape = shape[1:]  # the samples are the nodes

        made = {
            "relu": cr.ReLU, "sigmoid": cr.Sigmoid, "tanh": cr.Tanh, "flatten": cr.Flatten, "dense": cr.Dense,
            "gcn": lambda n: cr.GraphConv(n, graph, normalise=False, self_loops=False),  # the graph is normalised already
            "conv": lambda n, k, s, p, bias: cr.Conv2D(n, k, stride=s, padding=p, bias=bias),
            "convT": lambda n, k, s, p: cr.ConvTranspose2D(n, k, stride=s, padding=p),
            "lstm": cr.LSTM, "gru": cr.GRU, "embed": cr.Embedding,
            "bn": cr.BatchNorm, "maxpool": cr.MaxPool2D, "avgpool": cr.AveragePool2D, "gap": cr.GlobalAveragePool,
        }  # fmt: skip

        def chain(h, layers):
            for kind, *arguments in layers:
                if kind == "res":
                    main, shortcut = (chain(h, part) for part in arguments)
                    h = cr.ReLU()(cr.Add()(main, shortcut))
                else:
                    h = made[kind](*arguments)(h)
            return h

        if len(shape) == 3:
            shape = (*shape[1:], shape[0])
        x = cr.Input(shape, dtype="int" if layers[0][0] == "embed" else "float")
        network = cr.Network(inputs=x, outputs=chain(x, layers), random_state=seed)
        if params is not None:
            network.build()
            arrays = list(_arrays(params))
            network.parameters.assign(dict(zip(network.parameters, arrays, strict=True)))
        return network

    def make_step(self, w):
        from chainrule.engine import get_engine
        from chainrule.losses import SoftmaxCrossEntropy, SquaredError
        from chainrule.optimizers import SGD, Adam
        from chainrule.training import Objective, Trainer

        network = self._network(w.layers, w.shape, W.params(w, "NHWC"))
        optimizer = {"sgd": lambda: SGD(w.lr), "momentum": lambda: SGD(w.lr, momentum=0.9), "adam": lambda: Adam(w.lr)}[
            w.opt
        ]()
        engine = get_engine(threads=self.threads, dtype=self.precision)
        batches = W.batches(w, "NHWC")
        if w.data == "graph":
            return self._graph_step(w, network, optimizer, engine, *batches[0])
        trainer = Trainer(
            network, Objective([SquaredError() if w.loss == "mse" else SoftmaxCrossEntropy()]), optimizer, engine=engine
        )
        x, y = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
        kind = np.int32 if w.data == "tokens" else np.float32
        data = {"x0": np.ascontiguousarray(x, kind), "y0": y if w.loss == "mse" else y.astype(np.int32)}
        order = np.arange(len(data["x0"]))
        executable, orders, done = trainer.executable(w.batch).executable, {}, 0

        def run(first, steps):
            trainer.state.step += steps
            t = np.arange(trainer.state.step - steps + 1, trainer.state.step + 1, dtype=np.float64)
            scalars = optimizer.scalars(t, np.full(steps, w.lr))
            found = executable.run_steps(data, first, scalars, steps=steps, step=trainer.state.step - steps)
            return found["loss"][-1]

        def step():
            nonlocal done
            i, done = done % len(batches), done + 1
            return run(order[i * w.batch : (i + 1) * w.batch], 1)

        def many(n):
            if n not in orders:
                orders[n] = np.tile(order, -(-n // len(batches)))
            return run(orders[n], n)

        many.multiple = len(batches)
        step.many = many
        return step

    def _graph_step(self, w, network, optimizer, engine, x, labels):
        """One step on the whole graph; the loss is the mean over the nodes that have labels, as weights say."""
        from chainrule.losses import SoftmaxCrossEntropy
        from chainrule.training import Objective, Trainer

        train, nodes = W.graph()["train"], len(x)
        y, weight = np.zeros(nodes, np.int32), np.zeros(nodes, np.float32)
        y[train], weight[train] = labels, nodes / len(train)
        trainer = Trainer(network, Objective([SoftmaxCrossEntropy()], weights=["sample"]), optimizer, engine=engine)
        executable = trainer.executable(nodes).executable
        kind = np.int32 if w.data == "tokens" else np.float32
        data = {"x0": np.ascontiguousarray(x, kind), "y0": y, "w0": weight}

        def step():
            trainer.state.step += 1
            scalars = optimizer.scalars(np.array([trainer.state.step], np.float64), np.array([w.lr]))
            return executable.run_steps(data, None, scalars, steps=1, step=trainer.state.step - 1)["loss"][-1]

        return step

    def make_infer(self, w):
        predict = self._network(w.layers, w.shape, W.params(w, "NHWC")).predict
        if len(w.shape) == 3:
            return lambda x: predict(x.transpose(0, 2, 3, 1))
        return predict

    def fit_e2e(self, task, X, y):
        network = self._network(task.layers, task.shape)
        images = (-1, *task.shape[1:], task.shape[0]) if len(task.shape) == 3 else (-1, *task.shape)
        X = X.reshape(images)  # one channel: the same in either order
        network.fit(
            X, y, optimizer="adam", learning_rate=task.lr, epochs=task.epochs, batch_size=task.batch, metrics=(), verbose=0,
            precision=self.precision,
        )  # fmt: skip
        return lambda X: network.predict(X.reshape(images)).argmax(1)
