"""Reader of settings files in strict YAML. Any content results in values or problems, never in a traceback.

Scalars are those of YAML 1.2 (`off`, `no` and `0100` are text). Aliases (and so alias bombs), tags, duplicate keys and
encodings other than UTF-8 are refused.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from relay.infra.files.regular import read_file
from relay.runtime.settings.problems import SettingsProblem, format_key, format_path

MAX_BYTES: Final = 1_048_576
"""Maximum size of one settings file."""

MAX_DEPTH: Final = 32
"""Maximum depth of nesting; the settings need six levels."""

_TEXT: Final = "tag:yaml.org,2002:str"
_QUOTED: Final = re.compile(r"'(?!<)[^']{2,}'|('[^']*')")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ALIAS: Final = "an alias"
_UNCLOSED: Final = "found unexpected end of stream"
_SYNTAX: Final = {
    _ALIAS: ("contains an alias", "the value itself, and quotes around text with an asterisk"),
    "found character '\\t'": ("contains a tab", "spaces for indentation"),
    "cannot start any token": ("contains a character that cannot begin a value", "quotes around that text"),
    "found another document": ("contains a second document", "one document, no second ---"),
    "could not find expected ':'": ("has no colon", "key: value"),
    "mapping values are not allowed here": ("contains a misplaced colon", "quotes around text with a colon"),
    "unknown escape character": ("contains an unknown escape", "single quotes around text with a backslash"),
    "expected <block end>": ("has another indent than its section", "the same indent for all keys of a section"),
    _UNCLOSED: ("ends inside quotes", "a closing quote"),
}
"""What is wrong and what is allowed, by a part of PyYAML's message."""


class _Loader(yaml.SafeLoader):
    """Parses YAML and resolves the tags of scalars; `_Reader` turns the nodes into values."""

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


def parse_scalar(text: str) -> Any:
    """Returns the value of one plain YAML scalar: text, a whole number, a number, true, false or None."""
    return _parse_value(_resolve_tag(text), text)


def _resolve_tag(text: str) -> str:
    tag: str = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return tag


def _parse_value(tag: str, text: str) -> Any:
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
class ParsedFile:
    """One settings file: `values` (None when unreadable), `content` (the bytes of the file), `problems`."""

    path: Path
    values: dict[str, Any] | None = None
    content: bytes = b""
    problems: list[SettingsProblem] = field(default_factory=list)

    def add_problem(self, key: str, wrong: str, allowed: str = "") -> None:
        """Adds a problem of this file."""
        self.problems.append(SettingsProblem(format_path(self.path), key, wrong, allowed))


def read_yaml(path: Path) -> ParsedFile:
    """Reads one settings file. An empty file is an empty mapping; any other content than a mapping is a problem."""
    parsed = ParsedFile(path)
    text = _read_text(parsed)
    if text is None:
        return parsed
    try:
        node = _Loader(text).get_single_node()
        values = {} if node is None else _Reader(parsed).read_value(node, ())
    except yaml.MarkedYAMLError as error:
        parsed.add_problem(*_describe_syntax(error))
    except yaml.reader.ReaderError:
        parsed.add_problem("", "contains a control character", "printable text")
    except RecursionError:
        parsed.add_problem("", "is nested too deeply", f"at most {MAX_DEPTH} levels")
    else:
        if isinstance(values, dict):
            parsed.values = values
        else:
            parsed.add_problem("", "is not a mapping", "key: value lines at the top level")
    return parsed


def _read_text(parsed: ParsedFile) -> str | None:
    try:
        parsed.content = read_file(parsed.path, MAX_BYTES + 1)
    except FileNotFoundError:
        parsed.add_problem("", "does not exist", "a YAML file")
    except IsADirectoryError:
        parsed.add_problem("", "is a folder", "a YAML file")
    except OSError as error:
        parsed.add_problem("", f"cannot be read ({error.strerror})", "a readable YAML file")
    else:
        if len(parsed.content) > MAX_BYTES:
            parsed.add_problem("", "is too large", f"at most {MAX_BYTES} bytes")
            return None
        try:
            return parsed.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = parsed.content.count(b"\n", 0, error.start) + 1
            parsed.add_problem(f"line {line}", "is not UTF-8", "UTF-8 text")
    return None


def _describe_syntax(error: yaml.MarkedYAMLError) -> tuple[str, str, str]:
    problem = error.problem or "is not YAML"
    opened = error.context_mark if _UNCLOSED in problem else None
    mark = opened or error.problem_mark or error.context_mark
    key = f"line {mark.line + 1}" if mark else ""
    for message, (wrong, allowed) in _SYNTAX.items():
        if message in problem:
            return key, wrong, allowed
    # text in quotes may be a part of the file, and so of a secret: at most one character of it is repeated
    return key, f"is not YAML ({_QUOTED.sub(lambda match: match[1] or '...', problem)})", ""


class _Reader:
    """Turns the nodes of a file into plain values, and collects its problems."""

    def __init__(self, parsed: ParsedFile) -> None:
        self.parsed = parsed

    def read_value(self, node: yaml.Node, key_path: tuple[str | int, ...]) -> Any:
        if len(key_path) > MAX_DEPTH:
            raise RecursionError
        match node:
            case yaml.MappingNode() if node.tag.endswith(":map"):
                return self._read_mapping(node, key_path)
            case yaml.SequenceNode() if node.tag.endswith(":seq"):
                return [self.read_value(child, (*key_path, index)) for index, child in enumerate(node.value)]
            case yaml.ScalarNode() if node.tag in {_TEXT, _resolve_tag(node.value)}:
                if _SURROGATE.search(node.value):
                    self.parsed.add_problem(format_key(key_path), "contains a lone surrogate", "whole characters")
                    return None
                return _parse_value(node.tag, node.value)
        self.parsed.add_problem(format_key(key_path), "has a tag", "plain values without !tags")
        return None

    def _read_mapping(self, node: yaml.MappingNode, key_path: tuple[str | int, ...]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.parsed.add_problem(
                    f"line {key_node.start_mark.line + 1}", "has a list or section as key", "a name"
                )
                continue
            key = _SURROGATE.sub("?", str(key_node.value))
            child_path = (*key_path, key)
            if key in values:
                self.parsed.add_problem(
                    format_key(child_path), f"is a duplicate (line {key_node.start_mark.line + 1})", "each key once"
                )
                continue
            values[key] = self.read_value(value_node, child_path)
        return values
