"""Decisions about the registry of the portal (종합포털): rows, changes, the guard."""
