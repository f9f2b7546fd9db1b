"""Reads what a site says about itself. Knows no database and no queue."""
