"""Settings for all tests."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from chainrule.engine.kernels import catalogue, library, shipped
from chainrule.errors import EngineError

# At a desk every run tries new examples; a build that nobody watches always tries the same, so that only a change makes it
# fail. No example fails for the time it takes.
_UNTIMED: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("desk", **_UNTIMED)
settings.register_profile("ci", derandomize=True, **_UNTIMED)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

# A shell ignores Ctrl-C for what it runs in the background, nohup the end of the terminal, and children inherit that; tests
# of these signals need them.
for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (getattr(signal, "SIGHUP", None), signal.SIG_DFL)):
    if _number is not None and signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)

_BEGUN = time.monotonic()
_STATES: list[tuple[np.random.Generator, dict[str, Any]]] = []  # generators of test modules, as imported


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--slow-within",
        metavar="SECONDS",
        type=float,
        help="Begin tests marked slow within so many seconds from the start, and skip the rest. Without it all of them run.",
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    """Of several processes the first compiles the kernels in their order, the others backwards: each group once."""
    worker = getattr(session.config, "workerinput", None)
    if worker is None:
        return
    with contextlib.suppress(ImportError, EngineError):  # the tests say what is missing
        groups = list(catalogue.GROUPS)
        for group in groups if worker["workerid"] == "gw0" else reversed(groups):
            if shipped.find(group) is None:
                library.of_this_machine(group)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked slow come last, so that the others have run when the time for them is up."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
    modules = {id(module): module for item in items if (module := getattr(item, "module", None)) is not None}
    generators = {
        id(value): value
        for module in modules.values()
        for value in vars(module).values()
        if isinstance(value, np.random.Generator)
    }
    _STATES[:] = [(generator, generator.bit_generator.state) for generator in generators.values()]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # A test draws the same numbers whichever tests ran before it in its process, and so do the fixtures it is first to use.
    for generator, state in _STATES:
        generator.bit_generator.state = state
    within = item.config.getoption("--slow-within")
    if within is not None and item.get_closest_marker("slow") and time.monotonic() - _BEGUN > within:
        pytest.skip(f"a slow test, not begun later than {within:.0f} s after the start; `make test-all` runs every test")
