"""Certificates of the settings that expired: refused at a reload, left alone when they are in force already."""

import contextlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from relay.infra.files.regular import read_file
from relay.infra.upstream.tls import TlsError, expect_unexpired
from relay.runtime.settings.loading import Loaded
from relay.runtime.settings.secret_references import Kind, references
from relay.runtime.settings.warnings import expired_in_bundle

_KINDS: Final = frozenset({Kind.CERTIFICATE, Kind.CA})

Certificates = Mapping[tuple[str, Kind], bytes]
"""Contents of the certificate files of one moment's settings, by path and kind."""


def certificates_of(loaded: Loaded) -> Certificates:
    """The certificates and CAs that TLS uses: ours and those toward institutions, portal and certifiers.

    Roots and responders of certifiers are left out: they prove signatures, which may be older. So are files that
    cannot be read: a role that needs one has said so.
    """
    pairs = list(zip(loaded.sources, loaded.providers, strict=True))
    named = [
        (each.target, each.kind)
        for each in references(Path(), loaded.settings, pairs)
        if each.kind in _KINDS and ".roots[" not in each.key and not each.key.endswith(".responder")
    ]
    contents: dict[tuple[str, Kind], bytes] = {}
    for target, kind in named:
        with contextlib.suppress(OSError):
            contents[target, kind] = read_file(target)
    return contents


def expect_new_unexpired(former: Certificates, current: Certificates, now: datetime) -> None:
    """Raises TlsError for a file that was exchanged or is new and holds nothing that is valid at `now`.

    Those in force may have expired: that must not stop other changes. Of a bundle one valid CA is enough.
    """
    for (target, kind), content in current.items():
        if former.get((target, kind)) == content:
            continue
        if kind is Kind.CERTIFICATE:
            expect_unexpired(target, now)
        elif (ended := expired_in_bundle(Path(target), now)) and all(ended.values()):
            raise TlsError(f"{target}: every CA expired: {', '.join(ended)}")
