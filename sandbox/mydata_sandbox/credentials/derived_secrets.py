"""Secrets of a sandbox, all derived from one seed in its folder, so that a second run has the same ones."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from mydata_sandbox.credentials.secret_files import write_secret

_SEED_BYTES = 32
_LENGTH = 40


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Derives the client secrets of a sandbox from `seed`."""

    seed: bytes = field(repr=False)

    @classmethod
    def make(cls, file: Path) -> Self:
        """Writes a new seed into `file`."""
        seed = secrets.token_bytes(_SEED_BYTES)
        write_secret(file, seed)
        return cls(seed)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Reads the seed of an earlier sandbox."""
        return cls(file.read_bytes())

    def derive(self, name: str) -> str:
        """Returns the secret of `name`: 40 hexadecimal digits."""
        return hmac.digest(self.seed, name.encode(), hashlib.sha256).hex()[:_LENGTH]
