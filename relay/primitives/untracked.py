"""Removes objects that can never be part of a reference cycle from the tracking of the garbage collector."""

import ctypes
import gc
from typing import Final

_UNTRACK: Final = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("PyObject_GC_UnTrack", ctypes.pythonapi))


def untrack(item: object) -> None:
    """Removes an object from the tracking of the garbage collector; its reference count frees it as before.

    It must refer to strings, numbers, bytes and other untracked or shared immutable objects alone: then no cycle can
    lead through it, and the collector has nothing to find. CPython does the same with such tuples by itself.

    PERF: 0.5 us; a tracked object costs 0.3 us in each full collection.
    """
    if gc.is_tracked(item):  # the C function must not be called for an object without a GC header
        _UNTRACK(item)
