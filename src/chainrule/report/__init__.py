"""Pictures of a fit. matplotlib is imported when a picture is drawn."""

from .figures import check_picture_path
from .learning_curves import learning_curves

__all__ = ["check_picture_path", "learning_curves"]
