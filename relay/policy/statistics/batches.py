"""Merges waiting batches and splits them again. No figure changes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from relay.domain.statistics import Batch, Line, Pulse


def merge_batches(batches: Iterable[Batch]) -> tuple[Mapping[Line, int], Mapping[str, Pulse]]:
    """Returns the sum of batches, which are in the order in which they were counted."""
    counts: dict[Line, int] = {}
    pulses: dict[str, Pulse] = {}
    for batch in batches:
        for line, count in batch.counts.items():
            counts[line] = counts.get(line, 0) + count
        for provider, pulse in batch.pulses.items():
            pulses[provider] = combine_pulses(pulses.get(provider), pulse)
    return counts, pulses


def combine_pulses(older: Pulse | None, newer: Pulse) -> Pulse:
    """Returns two pulses combined: failures add up unless the institution answered in between."""
    if older is None:
        return newer
    return Pulse(
        max(older.answered_at, newer.answered_at),
        max(older.failed_at, newer.failed_at),
        newer.failures if newer.answered_at else older.failures + newer.failures,
    )


def split_batches(
    counts: Mapping[Line, int], pulses: Mapping[str, Pulse], max_lines: int, new_id: Callable[[], str]
) -> Iterator[Batch]:
    """Yields batches of at most `max_lines` lines; the first one has the pulses. Yields none for nothing."""
    lines = iter(counts.items())
    while (part := dict(islice(lines, max_lines))) or pulses:
        yield Batch(new_id(), part, pulses)
        pulses = {}
