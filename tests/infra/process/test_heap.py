import ctypes
from types import SimpleNamespace

import pytest

from relay.infra.process.heap import MAPPED_BYTES, TRIM_AFTER, Heap


class Library:
    """A C library that notes calls."""

    def __init__(self):
        self.calls = []

    def mallopt(self, name, value):
        self.calls.append((name, value))

    def malloc_trim(self, kept):
        self.calls.append(kept)


@pytest.fixture
def library():
    return Library()


@pytest.fixture
def heap(library):
    return Heap(library)


def test_large_blocks_become_mappings(heap, library):
    heap.start()
    assert library.calls == [(-3, MAPPED_BYTES)]


def test_pages_are_returned_after_many_ended_connections(heap, library):
    for ended in range(0, 3 * TRIM_AFTER, TRIM_AFTER // 4):
        heap.tick(ended, 10)
    assert library.calls == [0, 0]


def test_with_many_open_connections_as_many_must_end(heap, library):
    heap.tick(8_999, 9_000)
    assert library.calls == []
    heap.tick(9_000, 9_000)
    heap.tick(9_000 + TRIM_AFTER, 500)
    assert library.calls == [0]
    heap.tick(9_000 + TRIM_AFTER, 0)
    assert library.calls == [0, 0]


def test_without_ended_connections_nothing_is_done(heap, library):
    for _ in range(200):
        heap.tick(0, 0)
    assert library.calls == []


def test_pages_are_returned_at_once_on_demand(heap, library):
    heap.trim()
    assert library.calls == [0]


def test_another_library_is_left_alone():
    heap = Heap(SimpleNamespace(mallopt=lambda *_: pytest.fail("called")))
    heap.trim()
    heap.start()
    heap.tick(TRIM_AFTER, 0)


def test_the_library_of_this_process_takes_the_calls():
    heap = Heap(ctypes.PyDLL(None))
    heap.start()
    heap.tick(TRIM_AFTER, 0)
