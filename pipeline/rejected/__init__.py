"""Refused events: finding them, showing them, and sending them again after a fix."""
