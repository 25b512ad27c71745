"""Four actions of nine people in video (Weizmann, 64x64 pixels, here halved): three people at a time are left out.

A clip is right when the mean over its windows of 16 frames says its action.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from chainrule.architectures.clip_networks import clip_network
from chainrule.images import Augmentation
from chainrule.optimizers import Cosine
from chainrule.video import ClipData

from . import data


def main() -> None:
    parser = data.options(__doc__, seeds=1)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--network", default="r2plus1d")
    args = parser.parse_args()
    z = data.load(args.data, "weizmann4/weizmann4_64x64.npz")
    clips = []
    for a, b in zip(z["offsets"][:-1], z["offsets"][1:], strict=True):
        strip = np.asarray(Image.open(io.BytesIO(z["jpeg"][a:b].tobytes())))
        frames = strip.reshape(64, -1, 64, 3).transpose(1, 0, 2, 3)
        clips.append(frames.reshape(len(frames), 32, 2, 32, 2, 3).mean(axis=(2, 4)).round().astype(np.uint8))
    whole, person = ClipData(clips, z["label"], length=16), z["person"]
    augmentation = Augmentation(flip="horizontal", shift=0.08, zoom=0.1, brightness=0.15, contrast=0.2)

    def run(seed: int) -> dict[str, Any]:
        right = []
        for people in ((0, 1, 2), (3, 4, 5), (6, 7, 8)):
            train = whole.take(~np.isin(person, people)).standardised().augmented(augmentation)
            test = whole.take(np.isin(person, people)).standardised(like=train)
            net = clip_network(args.network)(4, input_shape=train.shape, random_state=seed)
            net.fit(
                train, loss="softmax_cross_entropy", optimizer="adamw", epochs=args.epochs, batch_size=16,
                learning_rate=Cosine(0.003, total=args.epochs, unit="epochs"), verbose=2 if args.verbose else 0,
            )  # fmt: skip
            p = net.loss_.prediction(net.predict(test))
            of_clips = np.stack([p[test.clip_of == i].mean(axis=0) for i in range(test.n_clips)])
            right.append(of_clips.argmax(axis=1) == test.targets)
        return {"accuracy": float(np.concatenate(right).mean())}

    data.each_seed(args, run, "accuracy")


if __name__ == "__main__":
    main()
