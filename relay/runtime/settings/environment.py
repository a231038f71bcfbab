"""Settings from the environment: `RELAY__GATEWAY__LIMITS__BODY_BYTES=65536` stands above `relay.yaml`."""

from collections.abc import Mapping
from typing import Any, Final

from relay.policy.settings.model import Settings
from relay.runtime.settings.messages import Place, leaves, nearest, node_at
from relay.runtime.settings.problems import Problem
from relay.runtime.settings.yaml_files import scalar

PREFIX: Final = "RELAY__"


def override(values: dict[str, Any], environ: Mapping[str, str]) -> tuple[dict[Place, str], list[Problem]]:
    """Put every `RELAY__...` variable into `values`, the mapping of `relay.yaml`, in place.

    Names are the keys in capitals, levels and list indexes joined by two underscores; a value is one YAML scalar, or
    text as it is where text is asked for. Returns the variable of each place that was set, and the problems of names
    that lead nowhere.
    """
    named: dict[Place, str] = {}
    problems = []
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        place = _place(variable)
        node = node_at(Settings, place)
        if node is None:
            near = nearest(variable, map(variable_of, leaves(Settings)))
            wrong = f"is not known, perhaps {near} is meant" if near else "is not known"
            fits = "keys of relay.yaml in capitals, joined by two underscores"
            problems.append(Problem("environment", variable, wrong, fits))
        elif "properties" in node or node.get("type") == "array":
            problems.append(Problem("environment", variable, "names a section or a list", "the name of a single value"))
        elif any("\ud800" <= sign <= "\udfff" for sign in environ[variable]):
            problems.append(Problem("environment", variable, "is not UTF-8", "UTF-8 text"))
        else:
            text = environ[variable]
            if _put(values, place, text if node.get("type") == "string" else scalar(text)):
                named[place] = variable
            else:
                problems.append(Problem("environment", variable, "has no place in relay.yaml", _room(place)))
    return named, problems


def variable_of(place: Place) -> str:
    """The variable that sets one place of `relay.yaml`."""
    return PREFIX + "__".join(str(part).upper() for part in place)


def _place(variable: str) -> Place:
    parts = variable.removeprefix(PREFIX).split("__")
    return tuple(int(part) if part.isascii() and part.isdigit() and len(part) < 4 else part.lower() for part in parts)  # noqa: PLR2004 - no list is longer


def _put(values: dict[str, Any], place: Place, value: Any) -> bool:
    """Whether there was room: an index may be at most one past the list's end, and sections must be sections."""
    at: Any = values
    for part, following in zip(place, (*place[1:], None), strict=True):
        if isinstance(part, int):
            if not isinstance(at, list) or part > len(at):
                return False
            if part == len(at):
                at.append(None)
        elif not isinstance(at, dict):
            return False
        if following is None:
            at[part] = value
            return True
        if (at.get(part) if isinstance(at, dict) else at[part]) is None:
            at[part] = [] if isinstance(following, int) else {}
        at = at[part]
    return False


def _room(place: Place) -> str:
    return "an index at most one past the list's end" if any(isinstance(part, int) for part in place) else "a section"
