"""Estimators with scikit-learn's interface. They work without it; where it is installed they are full members of it."""

from .autoencoder import Autoencoder
from .neural_classifier import NeuralClassifier
from .neural_forecaster import Forecast, NeuralForecaster
from .neural_regressor import NeuralRegressor

__all__ = ["Autoencoder", "Forecast", "NeuralClassifier", "NeuralForecaster", "NeuralRegressor"]
