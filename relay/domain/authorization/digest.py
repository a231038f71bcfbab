"""SHA-256 digests: the ledger stores codes, tokens and single-use values only as these."""

import hashlib


def digest_text(text: str) -> bytes:
    """Returns the SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).digest()
