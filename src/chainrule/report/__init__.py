"""Pictures of fits and forecasts. matplotlib is imported when a picture is drawn."""

from .figures import check_picture_path
from .forecast_picture import forecast_picture
from .learning_curves import learning_curves

__all__ = ["check_picture_path", "forecast_picture", "learning_curves"]
