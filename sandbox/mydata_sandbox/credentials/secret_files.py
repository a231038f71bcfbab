"""Files with private keys and passwords that only their owner may read."""

import os
from pathlib import Path


def write_secret(file: Path, secret: bytes) -> None:
    """Writes `secret` into a new file of mode 0600. An old file is removed first: it would keep its own mode."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(secret)
