"""Video: frames of folders, GIF and video files, clips for training, and what is written."""

from .reading import frames, is_video, read_clip
from .writing import write_frames

__all__ = ["frames", "is_video", "read_clip", "write_frames"]
