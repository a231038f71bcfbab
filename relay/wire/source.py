"""Where an answer in flight comes from, as its connection sees it."""

from typing import Protocol


class Source(Protocol):
    """Where the answer in flight comes from; told when its reader is slow or gone."""

    def pause(self) -> None:
        """Stop reading: the peer does not keep up."""

    def resume(self) -> None:
        """Go on reading."""

    def gone(self) -> None:
        """The peer went away: free what the answer holds, at once."""
