"""The one place where the trail meets structlog.

A logger whose wrapper class hands the prebuilt line straight to the stream: no processor runs, neither ours nor those
that an app has configured for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import structlog

from troth.audit.stream import Stream


class LineLogger(structlog.BoundLoggerBase):
    """A structlog logger of whole lines.

    `line` takes the prebuilt members of a line and returns its number in the stream, as `Stream.write` does, with the
    same `TrailError`.
    """

    line: Callable[[bytes], int]

    def __init__(self, logger: Stream, processors: Any, context: Any) -> None:
        super().__init__(logger, processors, context)
        self.line = logger.write


def line_logger(stream: Stream) -> LineLogger:
    """Return the logger that writes to `stream`, independent of how structlog is configured."""
    proxy = structlog.wrap_logger(stream, processors=[], wrapper_class=LineLogger, context_class=dict)
    return cast("LineLogger", proxy.bind())
