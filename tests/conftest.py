"""Settings for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# At a desk every run tries new examples; a build that nobody watches always tries the same, so that only a change makes it
# fail.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
