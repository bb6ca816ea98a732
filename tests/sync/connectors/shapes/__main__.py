"""`python -m tests.sync.connectors.shapes SAMPLES`: read the keys again from a folder of samples."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.sync.connectors.shapes import make

make(Path(sys.argv[1]))
