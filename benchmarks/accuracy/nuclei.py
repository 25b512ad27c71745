"""A U-Net that finds the nuclei in microscope pictures of 128x128: foreground against background, on a held-out quarter.

Trained on 498 of 664 pictures (Data Science Bowl 2018), turned by quarters and mirrored at random, by cross-entropy plus
Dice loss. The split is the same for all seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.architectures import unet
from chainrule.losses import BinaryCrossEntropy, DiceLoss, SumLoss
from chainrule.metrics import Dice, IoU
from chainrule.optimizers import Adam, OneCycle

from . import data


def main() -> None:
    parser = data.options(__doc__, seeds=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--few", type=int, help="only so many pictures, to try the command")
    parser.add_argument("--picture", type=Path, help="file for held-out pictures with their masks")
    args = parser.parse_args()
    z = data.load(args.data, "nuclei/nuclei_128.npz")
    x = z["images"][..., None].astype(np.float32) / 255
    y = z["instances"] > 0
    # Bright nuclei on a dark ground and dark ones on a bright ground: each picture is made bright on dark, of mean 0 and
    # deviation 1.
    bright = np.median(x, axis=(1, 2, 3)) > 0.5
    x[bright] = 1 - x[bright]
    x = (x - x.mean(axis=(1, 2), keepdims=True)) / (x.std(axis=(1, 2), keepdims=True) + 1e-3)
    order = np.random.default_rng(0).permutation(len(x))[: args.few]
    held_out, train = np.split(order, [len(order) // 4])
    tested, batch = x[held_out], 8

    def run(seed: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)

        def epoch() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            rows = rng.permutation(train)
            for some in np.split(rows, range(batch, len(rows), batch)):
                pictures, masks = (np.rot90(a[some], turns, (1, 2)) for turns in [rng.integers(4)] for a in (x, y))
                yield (pictures[:, ::-1], masks[:, ::-1]) if rng.random() < 0.5 else (pictures, masks)

        net = unet(channels=(16, 32, 64, 128), input_shape=x.shape[1:], random_state=seed)
        net.fit(
            epoch,
            loss=SumLoss([BinaryCrossEntropy(), DiceLoss()]),
            optimizer=Adam(OneCycle(0.004, total=-(-len(train) // batch) * args.epochs)),
            epochs=args.epochs,
            metrics=(),
            verbose=2 if args.verbose else 0,
        )
        p = net.loss_.prediction(net.predict(tested, batch_size=32))
        if args.picture is not None:
            from chainrule.report import segmentation_picture

            some = slice(0, 8)
            segmentation_picture(tested[some], p[some] > 0.5, args.picture, true=y[held_out][some])
        return {
            "dice": Dice()(y[held_out], p),
            "dice_per_picture": Dice(per_sample=True)(y[held_out], p),
            "iou": IoU()(y[held_out], p),
        }

    data.each_seed(args, run, "dice")


if __name__ == "__main__":
    main()
