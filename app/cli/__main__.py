"""``python -m app.cli`` is ``scrapersky``."""

from app.cli import main

main()
