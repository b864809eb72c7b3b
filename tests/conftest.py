"""What every test leans on: a rule for what cannot be had, quiet logging, patient property tests."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

Need = Callable[[bool, str], None]

# Shared machines stall; a deadline would report the neighbour.
settings.register_profile("troth", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("troth")


def pytest_report_header() -> str:
    """Say which rule for missing things holds in this run."""
    missing = "fails the test" if os.environ.get("CI") == "true" else "skips the test"
    return f"what a test needs and cannot get {missing}"


@pytest.fixture(scope="session")
def need() -> Need:
    """Return ``need(condition, reason)``: without the condition the test is skipped, or fails where ``CI=true``."""

    def check(condition: bool, reason: str) -> None:
        if condition:
            return
        if os.environ.get("CI") == "true":
            pytest.fail(f"needed under CI: {reason}")
        pytest.skip(reason)

    return check


@pytest.fixture(autouse=True)
def fresh_logging() -> Iterator[None]:
    """Undo what a test did to structlog and to the `troth` logger."""
    logger = logging.getLogger("troth")
    before: tuple[Any, ...] = (logger.level, logger.propagate, list(logger.handlers), list(logger.filters))
    yield
    logger.level, logger.propagate, logger.handlers, logger.filters = before
    structlog.reset_defaults()
