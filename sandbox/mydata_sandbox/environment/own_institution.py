"""An institution under development: its settings file puts it into the sandbox in place of a simulated one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import yaml

from mydata_sandbox.parties import (
    CERTIFIER_NAMES,
    INSTITUTIONS,
    MEDIATED_BY_CODE,
    OPERATORS,
    PORTAL_CODE,
    RELAY_CODE,
)
from relay.domain.ids import INDUSTRIES, ORG_CODE

PATH_KEYS: Final = ("ca", "certificate", "private_key", "redirect.public_key", "telegrams", "json_apis")
"""Keys of an institution's file that name files. Relative paths start at the folder of the file."""

MEDIATION_FOLDERS: Final = {"telegram": ("telegrams", "telegrams"), "json": ("json_apis", "json")}
"""By `speaks`: the key of the folder of its files, and the folder's name beside the institution's file."""

_PARTIES: Final = frozenset(
    {RELAY_CODE, PORTAL_CODE, *CERTIFIER_NAMES, *MEDIATED_BY_CODE, *(operator[0] for operator in OPERATORS)}
)
_MAX_NAME_BYTES: Final = 60
"""`org_name` of the portal's registry is AH(60)."""

_FILE: Final = "file:"
_RELAY_PAIR: Final = {"certificate": "../certs/relay.pem", "private_key": "file:../certs/relay.key.pem"}
_CA: Final = "../certs/ca.pem"


class InvalidInstitution(ValueError):
    """The settings file cannot be used. The message names the file, all wrong keys and what is valid."""


@dataclass(frozen=True, slots=True)
class OwnInstitution:
    """An institution under development. `settings` are those of its `file`, with absolute paths and defaults."""

    file: Path
    org_code: str
    name: str
    industry: str
    settings: Mapping[str, Any]

    @classmethod
    def load(cls, file: Path) -> Self:
        """Reads the settings file of an institution (docs/start/institution.md). Raises InvalidInstitution.

        Only what the sandbox needs is checked; the relay checks the rest when it starts.
        """
        settings = _read(file)
        if problems := list(_find_problems(settings)):
            raise InvalidInstitution("\n".join(f"{file}: {problem}" for problem in problems))
        org_code, name, industry = (str(settings[key]) for key in ("org_code", "name", "industry"))
        return cls(file, org_code, name, industry, _complete(settings, file.resolve()))

    @property
    def url(self) -> str:
        """The first base URL, or the first address of the core."""
        core = self.settings.get("core") or {}
        addresses = (f"tcp://{address}" for address in _list_texts(core.get("addresses")))
        return next(iter((*_list_texts(self.settings.get("base_urls")), *addresses)), "")

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts of its servers, for which the sandbox makes a certificate."""
        hosts = (urlsplit(url).hostname for url in _list_texts(self.settings.get("base_urls")))
        return tuple(dict.fromkeys(host for host in hosts if host))

    def name_file(self, message: str, folder: Path) -> str:
        """Returns a message of the relay with the name of `file` instead of its copy in the sandbox's folder."""
        return message.replace(str(folder.resolve() / "providers" / f"{self.industry}.yaml"), str(self.file))

    @property
    def left_out(self) -> tuple[str, ...]:
        """The api_codes that it does not offer."""
        return tuple(_list_texts((self.settings.get("apis") or {}).get("left_out")))


def _read(file: Path) -> dict[str, Any]:
    try:
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInstitution(f"{file}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInstitution(f"{file}: is no YAML in UTF-8 ({error})") from error
    if not isinstance(settings, dict):
        raise InvalidInstitution(f"{file}: is no mapping; docs/start/institution.md has an example")
    return settings


def _find_problems(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yields what is wrong with the keys that the sandbox uses itself."""
    org_code, industry, name = str(settings.get("org_code")), str(settings.get("industry")), settings.get("name")
    if not ORG_CODE.fullmatch(org_code):
        yield "org_code: 10 letters and digits"
    elif org_code in _PARTIES | {code for other, (code, _) in INSTITUTIONS.items() if other != industry}:
        yield f"org_code: {org_code} is another party of the sandbox; use another code"
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name.encode()) <= _MAX_NAME_BYTES:
        yield f"name: a text of at most {_MAX_NAME_BYTES} bytes in UTF-8"
    if industry not in INDUSTRIES:
        yield f"industry: one of {', '.join(INDUSTRIES)}"
    if not settings.get("base_urls") and not settings.get("core"):
        yield 'base_urls: the URLs of your server, ["https://127.0.0.1:8443"]'
    elif not all(map(_has_host, _list_texts(settings.get("base_urls")))):
        yield 'base_urls: URLs with a host in ASCII, ["https://127.0.0.1:8443"]'
    for key in ("apis", "core", "redirect"):
        if settings.get(key) is not None and not isinstance(settings[key], dict):
            yield f"{key}: a section"


def _has_host(url: str) -> bool:
    try:
        return (urlsplit(url).hostname or "").isascii()
    except ValueError:
        return False


def _list_texts(value: object) -> list[str]:
    """Returns the texts of a list; none when it is something else, which the relay refuses."""
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []


def _complete(settings: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """Returns the settings with absolute paths, and with CA and certificate of the sandbox unless the file has them."""
    complete = dict(settings)
    for key in PATH_KEYS:
        section, _, name = key.rpartition(".")
        holder = complete.get(section) if section else complete
        if isinstance(holder, dict) and isinstance(holder.get(name), str):
            changed = {**holder, name: _make_absolute(holder[name], file.parent)}
            complete = {**complete, section: changed} if section else changed
    if folder := MEDIATION_FOLDERS.get(str(settings.get("speaks"))):
        key, name = folder
        complete.setdefault(key, str(file.with_suffix("") / name))
    if settings.get("link", "tls") == "tls" and settings.get("base_urls"):
        complete.setdefault("ca", _CA)
        if not _RELAY_PAIR.keys() & settings.keys():
            complete |= _RELAY_PAIR
    return complete


def _make_absolute(reference: str, folder: Path) -> str:
    """Returns a path or `file:PATH` with an absolute path. `env:NAME` stays."""
    if reference.startswith("env:"):
        return reference
    prefix = _FILE if reference.startswith(_FILE) else ""
    return f"{prefix}{(folder / reference.removeprefix(_FILE)).resolve()}"
