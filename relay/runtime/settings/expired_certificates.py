"""Rejects expired certificates at a reload; those already in force are left alone."""

import contextlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from relay.infra.files.regular import read_file
from relay.infra.upstream.tls import TlsError, expect_unexpired
from relay.runtime.settings.file_references import ReferenceKind, find_references
from relay.runtime.settings.loading import LoadedSettings
from relay.runtime.settings.warnings import check_ca_expiry

_KINDS: Final = frozenset({ReferenceKind.CERTIFICATE, ReferenceKind.CA})

Certificates = Mapping[tuple[str, ReferenceKind], bytes]
"""Contents of the certificate files of settings, by path and kind."""


def read_certificates(loaded: LoadedSettings) -> Certificates:
    """Returns the certificates and CAs that TLS uses: ours and those toward institutions, portal and certifiers.

    Roots and responders of certifiers are left out: they verify signatures, which may be older. Files that cannot be
    read are left out too: the role that needs one reports it.
    """
    pairs = list(zip(loaded.provider_files, loaded.providers, strict=True))
    named = [
        (reference.target, reference.kind)
        for reference in find_references(Path(), loaded.settings, pairs)
        if reference.kind in _KINDS and ".roots[" not in reference.key and not reference.key.endswith(".responder")
    ]
    contents: dict[tuple[str, ReferenceKind], bytes] = {}
    for target, kind in named:
        with contextlib.suppress(OSError):
            contents[target, kind] = read_file(target)
    return contents


def check_new_certificates(former: Certificates, current: Certificates, now: datetime) -> None:
    """Raises TlsError when a new or replaced file holds no certificate that is valid at `now`.

    A certificate in force may have expired: that must not stop other changes. One valid CA of a bundle is enough.
    """
    for (target, kind), content in current.items():
        if former.get((target, kind)) == content:
            continue
        if kind is ReferenceKind.CERTIFICATE:
            expect_unexpired(target, now)
        # A bundle that cannot be read has no CAs here: the role that needs it reports it.
        elif (expired := check_ca_expiry(Path(target), now)) and all(expired.values()):
            raise TlsError(f"{target}: every CA expired: {', '.join(expired)}")
