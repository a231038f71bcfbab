"""The User-Agent of the relay's own calls to institutions, certifiers and the portal (RFC 9110 10.1.5)."""

from typing import Final

from relay import __version__

USER_AGENT: Final = f"relay/{__version__}"
HEADERS: Final = {"User-Agent": USER_AGENT}
"""Default headers of a client session."""
