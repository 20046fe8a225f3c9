"""Alerts replayed over a period that is past, and scored against what is known to have gone wrong."""
