"""Converts organisations and services to rows of the ledger, and a held sync to JSON."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from relay.domain.registry import Organisation, OrgType, RegisteredService, RegistryChanges

_LISTS: Final = frozenset({"addresses", "slots", "callbacks", "app_schemes"})
_ORGANISATION_FIELDS: Final = tuple(field.name for field in fields(Organisation))
_SERVICE_FIELDS: Final = tuple(field.name for field in fields(RegisteredService))
_NO_ORGANISATION: Final = Organisation("", OrgType.OTHER, "")
_NO_SERVICE: Final = RegisteredService("", "", "", "")

Values = dict[str, Any]
"""The columns of a row without its number."""


def dump_organisation(org_code: str, organisation: Organisation | None) -> Values:
    """Returns the columns of an organisation; None stands for a removed one."""
    values = _field_values(organisation or _NO_ORGANISATION, _ORGANISATION_FIELDS)
    return values | {"org_code": org_code, "org_type": values["org_type"].value, "gone": organisation is None}


def dump_service(client_id: str, service: RegisteredService | None) -> Values:
    """Returns the columns of a service; None stands for a removed one."""
    values = _field_values(service or _NO_SERVICE, _SERVICE_FIELDS)
    secret = {"hashed": values.pop("secret_hash"), "mark": values.pop("secret_mark")}
    return values | secret | {"client_id": client_id, "gone": service is None}


def _field_values(entry: Organisation | RegisteredService, names: tuple[str, ...]) -> Values:
    return {name: _list_to_json(getattr(entry, name)) if name in _LISTS else getattr(entry, name) for name in names}


def _list_to_json(values: tuple[str, ...]) -> str:
    return json.dumps(values) if values else "[]"


def read_organisation(values: Mapping[str, Any]) -> Organisation | None:
    """Returns the organisation of a row's columns; None for a removed one."""
    if values["gone"]:
        return None
    arguments = _read_fields(values)
    return Organisation(org_type=OrgType(arguments.pop("org_type")), **arguments)


def read_service(values: Mapping[str, Any]) -> RegisteredService | None:
    """Returns the service of a row's columns; None for a removed one."""
    if values["gone"]:
        return None
    arguments = _read_fields(values)
    secret_hash, secret_mark = arguments.pop("hashed"), arguments.pop("mark")
    return RegisteredService(secret_hash=secret_hash, secret_mark=secret_mark, **arguments)


def _read_fields(values: Mapping[str, Any]) -> Values:
    arguments = {name: _list_from_json(value) if name in _LISTS else value for name, value in values.items()}
    arguments.pop("gone")
    arguments.pop("number", None)
    return arguments


def _list_from_json(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text)) if text != "[]" else ()


def dump_changes(changes: RegistryChanges) -> str:
    """Returns the changes of a sync as JSON."""
    services = {key: dump_service(key, service) for key, service in changes.services.items()}
    document = {
        "organisations": {key: dump_organisation(key, entry) for key, entry in changes.organisations.items()},
        "services": {key: values | {"mark": values["mark"].hex()} for key, values in services.items()},
        "orgs_timestamp": changes.orgs_timestamp,
        "services_timestamp": changes.services_timestamp,
    }
    return json.dumps(document)


def read_changes(text: str) -> RegistryChanges:
    """Returns the changes of a `dump_changes`."""
    document = json.loads(text)
    services = {key: values | {"mark": bytes.fromhex(values["mark"])} for key, values in document["services"].items()}
    return RegistryChanges(
        {key: read_organisation(values) for key, values in document["organisations"].items()},
        {key: read_service(values) for key, values in services.items()},
        document["orgs_timestamp"],
        document["services_timestamp"],
    )


def hash_changes(changes: RegistryChanges) -> str:
    """Returns an id of the changes, the same for the same changes: 16 hexadecimal digits.

    The hash of a secret is salted and differs each time, so the secret's `mark` replaces it.
    """
    organisations = [dump_organisation(key, entry) for key, entry in sorted(changes.organisations.items())]
    services = [_identify_secret(dump_service(key, service)) for key, service in sorted(changes.services.items())]
    text = json.dumps([organisations, services], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _identify_secret(values: Values) -> Values:
    mark = values["mark"].hex()
    return values | {"mark": mark, "hashed": "" if mark else values["hashed"]}
