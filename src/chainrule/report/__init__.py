"""Pictures of fits, forecasts and predictions. matplotlib is imported when a picture is drawn."""

from .figures import check_picture_path
from .forecast_picture import forecast_picture
from .learning_curves import learning_curves
from .prediction_grid import prediction_grid

__all__ = ["check_picture_path", "forecast_picture", "learning_curves", "prediction_grid"]
