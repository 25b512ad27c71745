"""Estimators with scikit-learn's interface. They need NumPy only; with scikit-learn installed they are full members of it."""

from .neural_classifier import NeuralClassifier
from .neural_regressor import NeuralRegressor

__all__ = ["NeuralClassifier", "NeuralRegressor"]
