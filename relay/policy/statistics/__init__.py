"""Decisions about statistics: what counts as what, weeks, reports."""
