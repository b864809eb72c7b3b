"""`python -m troth.cli`."""

from __future__ import annotations

import sys

from troth.cli import main

sys.exit(main())
