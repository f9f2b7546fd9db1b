"""The garbage collector, told what kind of program this is."""

from __future__ import annotations

import gc

# With the default of 700 it looks through young objects several times for each batch of claims, and every look at
# the old ones walks all that was imported: a quarter of what a worker computes for each job.
YOUNG_OBJECTS = 20_000
YOUNG_LOOKS = 20


def settle() -> None:
    """Leave alone what is there now, which stays for good, and look for garbage less often than a script would.

    For a process that only serves from now on; call it once everything is imported.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_LOOKS, YOUNG_LOOKS)
