"""The version of chainrule, read by the build and by ``chainrule.__version__``."""

__version__ = "0.1.0"
