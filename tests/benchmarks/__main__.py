"""``python -m tests.benchmarks [NAME] [ARGUMENTS...]``: runs the benchmark NAME, or all, each beside its peers.

A benchmark is a module ``tests.benchmarks.NAME.run`` with ``main(arguments) -> exit code``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path


def names() -> list[str]:
    """The benchmarks there are."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob("*/run.py"))


def main(arguments: list[str]) -> int:
    """Run what is asked for; 1 if any aim was missed, 2 for wrong usage."""
    chosen, rest = (arguments[:1], arguments[1:]) if arguments and not arguments[0].startswith("-") else ([], arguments)
    if unknown := set(chosen) - set(names()):
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    worst = 0
    for name in chosen or names():
        print(f"\n=== {name} ===", flush=True)
        worst = max(worst, import_module(f"tests.benchmarks.{name}.run").main(rest))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
