"""The way through structlog: whole lines, straight to the stream, whatever the app has configured."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
import structlog

from tests.audit.conftest import Open
from troth.audit.log import LineLogger, line_logger
from troth.errors import TrailError


def test_a_line_reaches_the_stream_as_it_is(open_trail: Open) -> None:
    trail = open_trail()
    log = line_logger(trail.stream())
    assert isinstance(log, LineLogger)
    assert isinstance(log, structlog.BoundLoggerBase)
    assert log.line(b'"stage":"released"') == 2
    assert b'"stage":"released"}\n' in next(trail.directory.glob("access-*")).read_bytes()


def test_processors_of_the_app_never_touch_a_line(open_trail: Open) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("an app's processor was called")

    structlog.configure(processors=[refuse], wrapper_class=structlog.stdlib.BoundLogger)
    assert line_logger(open_trail().stream()).line(b'"n":1') == 2


def test_a_line_that_cannot_be_written_is_the_caller_s_to_answer(
    open_trail: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = line_logger(open_trail().stream())
    monkeypatch.setattr("os.write", lambda fd, data: 0)
    with pytest.raises(TrailError):
        log.line(b'"n":1')
