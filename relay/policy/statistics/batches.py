"""What waits for the ledger, put together and cut into pieces: no figure changes, whatever is merged with what."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from relay.domain.statistics import Batch, Line, Pulse


def merged(batches: Iterable[Batch]) -> tuple[Mapping[Line, int], Mapping[str, Pulse]]:
    """The sum of batches, in the order in which they were counted."""
    counts: dict[Line, int] = {}
    pulses: dict[str, Pulse] = {}
    for batch in batches:
        for line, count in batch.counts.items():
            counts[line] = counts.get(line, 0) + count
        for provider, pulse in batch.pulses.items():
            pulses[provider] = after(pulses.get(provider), pulse)
    return counts, pulses


def after(older: Pulse | None, newer: Pulse) -> Pulse:
    """One pulse out of two: failures go on being counted unless the institution answered in between."""
    if older is None:
        return newer
    return Pulse(
        max(older.answered_at, newer.answered_at),
        max(older.failed_at, newer.failed_at),
        newer.failures if newer.answered_at else older.failures + newer.failures,
    )


def pieces(
    counts: Mapping[Line, int], pulses: Mapping[str, Pulse], most: int, new_id: Callable[[], str]
) -> Iterator[Batch]:
    """Batches of at most `most` lines; the first one has the pulses. None when there is nothing."""
    lines = iter(counts.items())
    while (piece := dict(islice(lines, most))) or pulses:
        yield Batch(new_id(), piece, pulses)
        pulses = {}
