"""Pictures: reading them from files, changing them at random, and feeding them to a network while it trains.

Needs Pillow for files (``pip install 'chainrule[images]'``), which is imported when the first file is read.
"""

from .augmentation import Augmentation
from .folder import class_folders, picture_files
from .image_data import ImageData
from .picture import read_picture
from .preprocessor import ImagePreprocessor

__all__ = ["Augmentation", "ImageData", "ImagePreprocessor", "class_folders", "picture_files", "read_picture"]
