"""The picture of a forecast: the series, what is expected of it, how sure that is, and what the baselines say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .figures import PALETTE, check_picture_path, new_figure, save_figure, tidy

if TYPE_CHECKING:
    from ..estimators import Forecast

__all__ = ["forecast_picture"]

_SERIES, _NETWORK, _NAIVE, _SEASONAL = "0.15", PALETTE[0], "#999999", PALETTE[1]


def forecast_picture(
    y: Any,
    forecast: Forecast,
    path: str | os.PathLike[str],
    *,
    truth: Any = None,
    title: str = "",
    unit: str = "",
    steps: str = "step",
    shown: int | None = None,
) -> Path:
    """Draws a series and its forecast with the interval, beside the forecasts of the baselines.

    Parameters
        y : (T,) the series, in the order of time, up to where the forecast begins
        forecast : of NeuralForecaster.predict_interval
        path : of the picture, .png, .svg, .pdf or .jpg ; truth : (max horizon,) what really came, None when it is not known
        title : above ; unit : of y ; steps : what a step is ("month") ; shown : how many of the last steps of y
            are drawn, by default four times as many as are forecast, and at least 40
    Returns     the path
    Raises      ParameterError when the file cannot be written ; MissingDependencyError
    """
    place = check_picture_path(path)
    y = np.asarray(y, np.float64)
    reach = int(forecast.horizons[-1])
    first = max(0, len(y) - (max(40, 4 * reach) if shown is None else shown))
    ahead = len(y) - 1 + forecast.horizons
    figure = new_figure(9.0, 4.2, title)
    axes = figure.subplots()
    axes.plot(range(first, len(y)), y[first:], color=_SERIES, linewidth=1.4, label="the series")
    if truth is not None:
        coming = np.asarray(truth, np.float64)[:reach]
        axes.plot(
            range(len(y) - 1, len(y) + len(coming)), [y[-1], *coming], color=_SERIES, linewidth=1.4, linestyle=":",
            label="what really came",
        )  # fmt: skip
    few = "o" if len(ahead) < 3 else ""
    axes.plot(ahead, forecast.naive, color=_NAIVE, linewidth=1.4, linestyle="--", marker=few, label="last value")
    if forecast.seasonal_naive is not None:
        axes.plot(
            ahead, forecast.seasonal_naive, color=_SEASONAL, linewidth=1.4, linestyle="-.", marker=few,
            label="one season before",
        )  # fmt: skip
    axes.plot(ahead, forecast.mean, color=_NETWORK, linewidth=2.2, marker=few, label="network")
    if few:
        # Around the middle of the interval, since a mean may lie outside it where errors are very skewed.
        middle, half = (forecast.lower + forecast.upper) / 2, (forecast.upper - forecast.lower) / 2
        axes.errorbar(ahead, middle, half, color=_NETWORK, capsize=4, linewidth=0, elinewidth=1.5)
    else:
        axes.fill_between(
            ahead, forecast.lower, forecast.upper, color=_NETWORK, alpha=0.18, linewidth=0,
            label=f"{100 * forecast.level:g} % interval",
        )  # fmt: skip
    axes.axvline(len(y) - 1, color="0.7", linewidth=0.8)
    tidy(axes, steps, unit)
    axes.legend(frameon=False, fontsize=10, loc="upper left")
    return save_figure(figure, place)
