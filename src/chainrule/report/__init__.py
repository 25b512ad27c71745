"""Pictures of fits, forecasts, predictions and attacks. matplotlib is imported when a picture is drawn."""

from .adversarial_picture import adversarial_picture
from .code_picture import code_picture
from .diagnosis_report import DiagnosisReport
from .figures import check_picture_path
from .forecast_picture import forecast_picture
from .frames_picture import frames_picture
from .frontier_picture import frontier_picture
from .gradient_through_time_picture import gradient_through_time_picture
from .learning_curves import learning_curves
from .prediction_grid import prediction_grid
from .segmentation_picture import segmentation_picture

__all__ = [
    "DiagnosisReport",
    "adversarial_picture",
    "check_picture_path",
    "code_picture",
    "forecast_picture",
    "frames_picture",
    "frontier_picture",
    "gradient_through_time_picture",
    "learning_curves",
    "prediction_grid",
    "segmentation_picture",
]
