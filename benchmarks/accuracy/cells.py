"""A detector of blood cells (BCCD): red and white cells and platelets in 640x480 microscope pictures, its own division.

Trained on 205 pictures from scratch, or with a pretrained body, calibrated on 87, and judged on 72 by average precision at
an overlap of 0.5.
"""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from chainrule.boxes.checking import checked_boxes
from chainrule.tasks import Detector

from . import data


def main() -> None:
    parser = data.options(__doc__, seeds=3)
    parser.add_argument("--epochs", type=int, default=64)
    parser.add_argument("--width", type=int, default=32, help="channels at a quarter of the picture's size")
    parser.add_argument("--pretrained", action="store_true", help="a body that was trained on ImageNet, efficientnet_lite0")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", type=Path, help="file for the detector")
    parser.add_argument("--few", type=int, help="only so many pictures to train on, to try the command")
    parser.add_argument("--picture", type=Path, help="file for the test pictures with the most errors")
    args = parser.parse_args()
    z = data.load(args.data, "bccd/bccd.npz")
    starts, classes = z["offsets"], [str(name) for name in z["classes"]]
    files = [io.BytesIO(z["jpeg"][a:b].tobytes()) for a, b in pairwise(starts.tolist())]
    pictures = np.stack(
        [np.asarray(Image.open(file).convert("RGB").resize((256, 192), Image.Resampling.BOX)) for file in files]
    )
    truth = []
    for i in range(len(files)):
        mine = z["boxes"][z["boxes"][:, 0] == i]
        boxes, rows, _ = checked_boxes(mine[:, 2:] * 0.4, pictures.shape[1:3], f"picture {i}")
        truth.append((boxes, [classes[c] for c in mine[rows, 1]]))
    part = np.array([str(name) for name in z["split"]])

    def of(name: str, most: int | None = None) -> tuple[np.ndarray, list[Any]]:
        rows = np.flatnonzero(part == name)[:most]
        return pictures[rows], [truth[i] for i in rows]

    def run(seed: int) -> dict[str, Any]:
        detector = Detector(
            epochs=args.epochs, batch_size=4, random_state=seed, width=args.width, pretrained=args.pretrained,
            mirrored=True, threads=args.threads,
            augment="flip=both,zoom=0.3,shift=0.15,brightness=0.15,contrast=0.2,colour=0.1",
        )  # fmt: skip
        detector.fit(of("train", args.few), validation_data=of("val"), verbose=int(args.verbose))
        if args.picture is not None:
            from chainrule.tasks.detection.output import draw

            samples = detector.read(of("test"))
            draw(args.picture, detector, samples, detector.prediction(samples), title="Blood cells")
        if args.save is not None:
            detector.save(args.save)
        of_class = detector.average_precision(of("test")).by_class
        by_class = {f"ap50_{name}": ap50 for name, (_, ap50) in zip(detector.classes, of_class, strict=True)}
        return detector.evaluate(of("test")) | by_class | {"ap50_validation": detector.score(of("val"))}

    data.each_seed(args, run, "ap50")


if __name__ == "__main__":
    main()
