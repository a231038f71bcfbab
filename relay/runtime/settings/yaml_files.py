"""Settings files: a small, strict YAML. Whatever stands in a file becomes values or problems, never a traceback.

YAML 1.2's scalars (`off`, `no` and `0100` are text), no aliases (so no bombs), no tags, no doubled keys, UTF-8.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from relay.infra.files.regular import read_file
from relay.runtime.settings.problems import Problem, dotted, shown

SIZE_MOST: Final = 1_048_576
"""Bytes of one settings file at most."""

DEPTH_MOST: Final = 32
"""Levels of nesting at most; the settings need six."""

_TEXT: Final = "tag:yaml.org,2002:str"
_QUOTED: Final = re.compile(r"'(?!<)[^']{2,}'|('[^']*')")
_HALF: Final = re.compile("[\ud800-\udfff]")
_ALIAS: Final = "an alias"
_UNCLOSED: Final = "found unexpected end of stream"
_WORDS: Final = {
    _ALIAS: ("holds an alias", "the value itself; text with an asterisk in quotes"),
    "found character '\\t'": ("holds a tab", "spaces to indent"),
    "cannot start any token": ("holds a sign that starts nothing", "quotes around text that begins with a sign"),
    "found another document": ("holds a second document", "one document, no second ---"),
    "could not find expected ':'": ("lacks a colon", "key: value"),
    "mapping values are not allowed here": ("holds a colon out of place", "quotes around text with a colon"),
    "unknown escape character": ("holds an unknown escape", "single quotes around text with a backslash"),
    "expected <block end>": ("is indented differently from its neighbours", "the same indent for keys of one section"),
    _UNCLOSED: ("ends inside quotes", "a closing quote"),
}


class _Loader(yaml.SafeLoader):
    """Parses and resolves scalars; what it makes of them is decided by `_Reading`."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - PyYAML's own attribute

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem=_ALIAS, problem_mark=self.get_mark())
        return super().compose_node(parent, index)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:0|[1-9][0-9]*)?\.[0-9]+|[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+", list("-+.0123456789")),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", list("-+.")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), _first)

_RESOLVER: Final = _Loader("")


def scalar(text: str) -> Any:
    """One plain YAML scalar as its value: text, whole number, number, true/false or None."""
    return _value_of(_plain_tag(text), text)


def _plain_tag(text: str) -> str:
    tag: str = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return tag


def _value_of(tag: str, text: str) -> Any:
    match tag.rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text) if len(text) <= 20 else float("inf")  # noqa: PLR2004 - longer is beyond every range
        case "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        case _:
            return text


@dataclass(slots=True)
class Sheet:
    """What one file holds: `values` (None when unreadable), `content` (bytes as read), `problems`."""

    path: Path
    values: dict[str, Any] | None = None
    content: bytes = b""
    problems: list[Problem] = field(default_factory=list)

    def complain(self, key: str, wrong: str, allowed: str = "") -> None:
        """Add a problem of this file."""
        self.problems.append(Problem(shown(self.path), key, wrong, allowed))


def read(path: Path) -> Sheet:
    """One settings file. An empty file is an empty mapping; everything else that is no mapping is a problem."""
    sheet = Sheet(path)
    text = _text(sheet)
    if text is None:
        return sheet
    try:
        node = _Loader(text).get_single_node()
        values = {} if node is None else _Reading(sheet).value(node, ())
    except yaml.MarkedYAMLError as error:
        sheet.complain(*_syntax(error))
    except yaml.reader.ReaderError:
        sheet.complain("", "holds a control character", "printable text")
    except RecursionError:
        sheet.complain("", "is nested too deep", f"at most {DEPTH_MOST} levels")
    else:
        if isinstance(values, dict):
            sheet.values = values
        else:
            sheet.complain("", "is not a mapping", "key: value lines at the top level")
    return sheet


def _text(sheet: Sheet) -> str | None:
    try:
        sheet.content = read_file(sheet.path, SIZE_MOST + 1)
    except FileNotFoundError:
        sheet.complain("", "does not exist", "a YAML file")
    except IsADirectoryError:
        sheet.complain("", "is a folder", "a YAML file")
    except OSError as error:
        sheet.complain("", f"cannot be read ({error.strerror})", "a readable YAML file")
    else:
        if len(sheet.content) > SIZE_MOST:
            sheet.complain("", "is too large", f"at most {SIZE_MOST} bytes")
            return None
        try:
            return sheet.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = sheet.content.count(b"\n", 0, error.start) + 1
            sheet.complain(f"line {line}", "is not UTF-8", "UTF-8 text")
    return None


def _syntax(error: yaml.MarkedYAMLError) -> tuple[str, str, str]:
    problem = error.problem or "is not YAML"
    opened = error.context_mark if _UNCLOSED in problem else None
    mark = opened or error.problem_mark or error.context_mark
    key = f"line {mark.line + 1}" if mark else ""
    for words, (wrong, allowed) in _WORDS.items():
        if words in problem:
            return key, wrong, allowed
    # what stands in quotes may be a piece of the file, and that piece a secret: one sign at most is shown
    return key, f"is not YAML ({_QUOTED.sub(lambda found: found[1] or '...', problem)})", ""


class _Reading:
    """Turns nodes into plain values; problems of a file are collected as they are met."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet

    def value(self, node: yaml.Node, place: tuple[str | int, ...]) -> Any:
        if len(place) > DEPTH_MOST:
            raise RecursionError
        match node:
            case yaml.MappingNode() if node.tag.endswith(":map"):
                return self._mapping(node, place)
            case yaml.SequenceNode() if node.tag.endswith(":seq"):
                return [self.value(child, (*place, index)) for index, child in enumerate(node.value)]
            case yaml.ScalarNode() if node.tag in {_TEXT, _plain_tag(node.value)}:
                if _HALF.search(node.value):
                    self.sheet.complain(dotted(place), "holds half a character", "whole characters")
                    return None
                return _value_of(node.tag, node.value)
        self.sheet.complain(dotted(place), "has a tag", "plain values without !tags")
        return None

    def _mapping(self, node: yaml.MappingNode, place: tuple[str | int, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.sheet.complain(f"line {key_node.start_mark.line + 1}", "has a list or section as key", "a name")
                continue
            key = _HALF.sub("?", str(key_node.value))
            here = (*place, key)
            if key in found:
                self.sheet.complain(
                    dotted(here), f"stands twice (line {key_node.start_mark.line + 1})", "each key once"
                )
                continue
            found[key] = self.value(value_node, here)
        return found
