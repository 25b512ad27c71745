"""Video: frames of folders, GIF and video files, clips for training, and what is written."""

from .clip_data import ClipData
from .clip_folders import clip_folders, holds_clips
from .reading import frames, is_video, read_clip
from .writing import write_frames

__all__ = ["ClipData", "clip_folders", "frames", "holds_clips", "is_video", "read_clip", "write_frames"]
