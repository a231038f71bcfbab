"""Conversion between APIs of the standard and telegrams (전문) of institutions: see `docs/design/mediation.md`.

Everything here is pure: sockets, clocks and files belong to the callers.
"""
