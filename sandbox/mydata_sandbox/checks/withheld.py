"""Removes fields from a response, as an institution does for a consent that does not include them (규격 6.2)."""

import json
from typing import Any


def remove_members(body: bytes, names: frozenset[str]) -> bytes:
    """Returns a JSON response without the members of these names, at any depth."""
    return json.dumps(_remove(json.loads(body), names), ensure_ascii=False).encode()


def _remove(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _remove(member, names) for name, member in value.items() if name not in names}
    if isinstance(value, list):
        return [_remove(member, names) for member in value]
    return value
