"""Reads settings files: regular files only, off the event loop."""
