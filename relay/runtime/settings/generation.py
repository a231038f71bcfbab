"""The fingerprint of settings: it names a generation of settings, certificates and keys in logs and metrics."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from relay.infra.files.regular import read_file
from relay.runtime.settings.environment import PREFIX
from relay.runtime.settings.file_references import Reference, ReferenceKind, SecretMissing, read_secret
from relay.runtime.settings.yaml_files import ParsedFile

_UNREADABLE: Final = b"unreadable"


def compute_fingerprint(
    root: Path, parsed_files: Sequence[ParsedFile], references: Iterable[Reference], environ: Mapping[str, str]
) -> str:
    """Returns 12 hex digits of a hash over yaml files, `RELAY__` variables, certificates and keys.

    Names below `root` are relative. Secrets other than private keys are left out: one that is short could be guessed
    from the hash. A file that cannot be read counts as such, so another user may get another fingerprint.
    """
    pairs = [(_shorten(file.path, root), file.content) for file in parsed_files]
    pairs += [
        (name, environ[name].encode(errors="surrogateescape")) for name in sorted(environ) if name.startswith(PREFIX)
    ]
    contents: dict[str, bytes] = {}
    for reference in references:
        if reference.kind is not ReferenceKind.SECRET:
            if reference.target not in contents:
                contents[reference.target] = _read(reference, environ)
            pairs.append((f"{_shorten(reference.file, root)}: {reference.key}", contents[reference.target]))
    digest = hashlib.sha256()
    for name, content in pairs:
        for part in (name.encode(errors="surrogateescape"), content):
            digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()[:12]


def _read(reference: Reference, environ: Mapping[str, str]) -> bytes:
    """Returns a hash of what a reference names."""
    try:
        if reference.kind is ReferenceKind.PRIVATE_KEY:
            content = read_secret(reference.target, environ)
        else:
            content = read_file(reference.target)
    except (OSError, SecretMissing):  # the role that needs it reports it
        return _UNREADABLE
    return hashlib.sha256(content).digest()


def _shorten(path: Path, root: Path) -> str:
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
