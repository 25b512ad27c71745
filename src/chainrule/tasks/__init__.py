"""Whole tasks: from data as people have them to a model that takes such data. Names load when they are first used.

Each folder is one task and declares itself (``task.py`` says how); none knows another.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "ClipModel": "clips.clip_model",
    "ClipSettings": "clips.settings",
    "Detector": "detection.detector",
    "DetectionSettings": "detection.settings",
    "PictureModel": "pictures.picture_model",
    "PictureSettings": "pictures.settings",
    "TableModel": "tables.table_model",
    "TableSettings": "tables.settings",
    "TextGenerator": "text_generation.text_generator",
    "TextModel": "texts.text_model",
    "TextSettings": "texts.settings",
    "Translator": "translation.translator",
    "all_tasks": "task",
    "load": "loading",
    "next_token_probabilities": "text_generation.sampling",
    "sample": "text_generation.sampling",
}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from .clips.clip_model import ClipModel as ClipModel
    from .clips.settings import ClipSettings as ClipSettings
    from .detection.detector import Detector as Detector
    from .detection.settings import DetectionSettings as DetectionSettings
    from .loading import load as load
    from .pictures.picture_model import PictureModel as PictureModel
    from .pictures.settings import PictureSettings as PictureSettings
    from .tables.settings import TableSettings as TableSettings
    from .tables.table_model import TableModel as TableModel
    from .task import all_tasks as all_tasks
    from .text_generation.sampling import next_token_probabilities as next_token_probabilities
    from .text_generation.sampling import sample as sample
    from .text_generation.text_generator import TextGenerator as TextGenerator
    from .texts.settings import TextSettings as TextSettings
    from .texts.text_model import TextModel as TextModel
    from .translation.translator import Translator as Translator


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'chainrule.tasks' has no attribute {name!r}")
