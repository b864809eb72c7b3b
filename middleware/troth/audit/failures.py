"""One sentence for every way in which the file system can refuse a line."""

from __future__ import annotations

import errno

from troth.errors import TrailError


def failed(what: str, error: OSError) -> TrailError:
    """Return the error to raise: what could not be written, and the system's name for why."""
    return TrailError(f"the {what} cannot be written: {errno.errorcode.get(error.errno or 0, 'unknown')}")
