"""Files that only their owner may read: the street's private keys and passwords."""

import os
from pathlib import Path


def keep(file: Path, secret: bytes) -> None:
    """Write `secret` into a new file of mode 0600, in the place of an old one, which would keep its own mode."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(secret)
