"""Settings from the environment: `RELAY__GATEWAY__LIMITS__BODY_BYTES=65536` overrides `relay.yaml`."""

from collections.abc import Mapping
from typing import Any, Final

from relay.policy.settings.model import Settings
from relay.runtime.settings.messages import KeyPath, find_leaves, find_nearest, get_schema_node
from relay.runtime.settings.problems import SettingsProblem
from relay.runtime.settings.yaml_files import parse_scalar

PREFIX: Final = "RELAY__"
_INDEX_DIGITS: Final = 3
"""No list is longer than this many digits can count."""


def apply_variables(
    values: dict[str, Any], environ: Mapping[str, str]
) -> tuple[dict[KeyPath, str], list[SettingsProblem]]:
    """Writes every `RELAY__...` variable into `values`, the mapping of `relay.yaml`, in place.

    Names are the keys in capitals; levels and list indexes are joined by two underscores. A value is verbatim text for
    a key of type text, otherwise one YAML scalar. Returns the variable of each key path that was set, and the problems
    of names without a key.
    """
    variables: dict[KeyPath, str] = {}
    problems = []
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        key_path = _parse_variable(variable)
        node = get_schema_node(Settings, key_path)
        if node is None:
            nearest = find_nearest(variable, map(format_variable, find_leaves(Settings)))
            wrong = f"is unknown (did you mean {nearest}?)" if nearest else "is unknown"
            allowed = "keys of relay.yaml in capitals, joined by two underscores"
            problems.append(SettingsProblem("environment", variable, wrong, allowed))
        elif "properties" in node or node.get("type") == "array":
            problems.append(
                SettingsProblem("environment", variable, "names a section or a list", "the name of a single value")
            )
        elif any("\ud800" <= char <= "\udfff" for char in environ[variable]):
            problems.append(SettingsProblem("environment", variable, "is not UTF-8", "UTF-8 text"))
        else:
            text = environ[variable]
            if _set_value(values, key_path, text if node.get("type") == "string" else parse_scalar(text)):
                variables[key_path] = variable
            else:
                wrong = "names no place in the settings"
                problems.append(SettingsProblem("environment", variable, wrong, _describe_parent(key_path)))
    return variables, problems


def format_variable(key_path: KeyPath) -> str:
    """Returns the name of the variable that sets this key of `relay.yaml`."""
    return PREFIX + "__".join(str(part).upper() for part in key_path)


def _parse_variable(variable: str) -> KeyPath:
    return tuple(int(part) if _is_index(part) else part.lower() for part in variable.removeprefix(PREFIX).split("__"))


def _is_index(part: str) -> bool:
    return part.isascii() and part.isdigit() and len(part) <= _INDEX_DIGITS


def _set_value(values: dict[str, Any], key_path: KeyPath, value: Any) -> bool:
    """Sets a value. Returns False for an index beyond the list's end or a parent that is not a section."""
    parent: Any = values
    for part, next_part in zip(key_path, (*key_path[1:], None), strict=True):
        if isinstance(part, int):
            if not isinstance(parent, list) or part > len(parent):
                return False
            if part == len(parent):
                parent.append(None)
        elif not isinstance(parent, dict):
            return False
        if next_part is None:
            parent[part] = value
            return True
        if (parent.get(part) if isinstance(parent, dict) else parent[part]) is None:
            parent[part] = [] if isinstance(next_part, int) else {}
        parent = parent[part]
    return False


def _describe_parent(key_path: KeyPath) -> str:
    has_index = any(isinstance(part, int) for part in key_path)
    return "an index at most one past the list's end" if has_index else "a section"
