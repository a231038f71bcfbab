"""Replacement of closed standard descriptors."""

import os
import sys


def open_missing_descriptors() -> None:
    """Opens /dev/null for closed descriptors 0 to 2. A socket must not get one of them: uvloop aborts the process."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free descriptor is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - never closed
