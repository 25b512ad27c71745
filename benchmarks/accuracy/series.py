"""Forecasts of two known series beside the naive ones: mean absolute error on the last fifth, all horizons together.

Airline passengers (144 months, forecasts of 1 to 12 months) and sunspots (yearly, forecasts of 1 to 11 years). The network
is fitted once on the first four fifths and then forecasts from every step. Sunspots are those of the package statsmodels,
where it is installed, or of a file sunspots/sunspots.csv in the folder of the data sets with a column "value".
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import NeuralForecaster
from chainrule.report import forecast_picture

from . import data


def main() -> None:
    parser = data.options(__doc__, seeds=3)
    parser.add_argument("--picture", type=Path, help="folder for a picture of each series")
    args = parser.parse_args()
    with (args.data / "airline" / "flights.csv").open() as file:
        airline = np.array([float(row["passengers"]) for row in csv.DictReader(file)])
    tasks: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
        "airline": (airline, {"window": 24, "horizon": 12, "season": 12, "transformation": "log"}),
    }
    spots = _sunspots(args.data)
    if spots is None:
        print("sunspots: not measured; there is neither statsmodels nor sunspots/sunspots.csv.")
    else:
        tasks["sunspots"] = (spots, {"window": 11, "horizon": 11, "season": 11, "transformation": "sqrt"})

    def run(seed: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, (y, how) in tasks.items():
            cut = len(y) * 4 // 5
            model = NeuralForecaster(**how, random_state=seed).fit(y[:cut])
            scores = model.backtest(y, start=cut)["scores"]
            found |= {f"{name} {kind.replace('_', ' ')}": score["mae"] for kind, score in scores.items()}
            if args.picture is not None:
                forecast = model.predict_interval()
                forecast_picture(y[:cut], forecast, args.picture / f"{name}.png", truth=y[cut:], title=name)
        found["ratio"] = max(found[f"{name} network"] / found[f"{name} seasonal naive"] for name in tasks)
        return found

    data.each_seed(args, run, "ratio")


def _sunspots(folder: Path) -> np.ndarray | None:
    try:
        from statsmodels.datasets import sunspots

        return np.asarray(sunspots.load_pandas().data["SUNACTIVITY"], float)
    except ImportError:
        path = folder / "sunspots" / "sunspots.csv"
        if not path.exists():
            return None
        with path.open() as file:
            return np.array([float(row["value"]) for row in csv.DictReader(file)])


if __name__ == "__main__":
    main()
