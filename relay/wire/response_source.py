"""The producer of a response, as seen by the connection that sends it."""

from typing import Protocol


class ResponseSource(Protocol):
    """Produces the response in progress. The connection notifies it when the peer reads slowly or disconnects."""

    def pause(self) -> None:
        """Stops reading: the peer does not keep up."""

    def resume(self) -> None:
        """Continues reading."""

    def peer_disconnected(self) -> None:
        """Frees everything that the response holds."""
