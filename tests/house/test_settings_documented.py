"""Checks that example files and docs/reference/settings.md have every key of the models with its default."""

import re
from enum import Enum

import pytest
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined, to_jsonable_python

from relay.policy.settings import authority, core, portal, scalars
from relay.policy.settings import directory as registry
from relay.policy.settings import model as settings
from relay.policy.settings.directory import Directory, Provider
from relay.policy.settings.model import Settings
from relay.runtime.settings.messages import describe_allowed, find_leaves, get_schema_node
from relay.runtime.settings.problems import format_key
from relay.runtime.settings.yaml_files import parse_scalar
from relay.runtime.wiring.restart import START_ONLY

MANUALS = {
    "config/relay.yaml": Settings,
    "config/providers/hangaram-bank.yaml": Provider,
    "config/directory.yaml": Directory,
}
"""Example files with every key of a model; comments end with `default: ...`."""

ALSO = {
    "config/providers/hangaram-bank.yaml": (
        "config/providers/haneul-savings-bank.yaml",
        "config/providers/eunha-savings-bank.yaml",
        "config/providers/dasol-life-insurance.yaml",
    )
}
"""Files with the keys that the example cannot have: those of institutions that speak telegrams or JSON."""

NO_VALUE = {"none", "relay"}
PAGE = "docs/reference/settings.md"
CHAPTERS = {"relay.yaml": Settings, "providers/NAME.yaml": Provider, "directory.yaml": Directory}
"""Chapters of the page, each with the keys of a model."""

INHERITED = {"checking", "timeouts", "concurrency", "queue", "adaptive_concurrency", "answers", "rate"}
"""Keys of an institution's file whose default is a value of relay.yaml."""

TYPES = {
    "a path, relative to the file that names it": "path",
    "stdout, or a file's path, relative to the file that names it": "`stdout` or path",
    "a reference, file:PATH or env:NAME, not the secret itself": "secret",
    "sqlite:PATH, postgresql://HOST/DATABASE, or file:PATH or env:NAME that holds such a URL": "ledger URL",
    "redis://HOST:PORT/0, or file:PATH or env:NAME that holds such a URL": "Redis URL",
    "https://host[:port][/path], or http:// on a leased line": "URL",
    "HOST:PORT, for example 10.20.0.5:9100": "HOST:PORT",
    "a path, /mydata/login": "URL path",
    "an address or network, for example 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32": "network",
    "10 letters or digits, in quotes": "기관코드",
    "1 to 50 letters or digits, in quotes": "client_id",
    "the output of `relay secret`: $scrypt$ln=14,r=8,p=1$SALT$HASH": "secret hash",
    "two capital letters and two digits, for example BA01": "api_code",
    "letters and digits, hyphens allowed, in quotes, at most 20 characters": "SERIALNUMBER",
    "v and a number, for example v1": "version",
    "hhmm:hhmm in quotes, for example 0100:0700 or 2200:0400": "hhmm:hhmm",
    "YYYYMMDD in quotes": "YYYYMMDD",
    "a time of day in Korea, hhmm in quotes, for example 0400": "hhmm",
    "a whole number": "integer",
    "a number": "number",
}
"""Words of `relay check` for what a key may hold, and the page's word for them."""


def written(node, lines, place=()):
    """Yields each key of a file (list indexes are 0) with its default in the comment, None without one."""
    for entry in node.value if isinstance(node, yaml.SequenceNode) else ():
        yield from written(entry, lines, (*place, 0))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            comment = lines[key.start_mark.line].partition(" # ")[2]
            _, separator, default = comment.rpartition("default: ")
            yield (*place, key.value), default.strip() if separator else None
            yield from written(value, lines, (*place, key.value))


def manual(root, file):
    """Returns the documented default of each key; of several list entries the first that has the key."""
    keys = {}
    for each in (file, *ALSO.get(file, ())):
        text = (root / each).read_text()
        entries = written(yaml.compose(text), text.splitlines())
        keys |= {place: default for place, default in reversed([*entries]) if keys.get(place) is None}
    return keys


def default_at(model, place):
    """Returns the default of a key, that of its section first (`Rate(per_second=50)`); undefined when required."""
    value = PydanticUndefined
    for part in [part for part in place if part != 0]:
        section = value
        value = getattr(section, part) if isinstance(section, BaseModel) else model.model_fields[part].default
        model = inner(model.model_fields[part].annotation)
    return value


def inner(annotation):
    """Returns the model inside `Model`, `Model | None` or `tuple[Model, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    candidates = (inner(part) for part in getattr(annotation, "__args__", ()))
    return next((model for model in candidates if model is not None), None)


def chapter(root, name):
    """Returns the cells of each key's row in a chapter of the page."""
    text = (root / PAGE).read_text().split(f"\n## {name}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0].strip("` "): row for row in cells}


def documented_key(place):
    return re.sub(r"\[0\]", "[]", format_key(place))


def documented_type(node):
    """Returns the page's word for what a key may hold."""
    allowed = describe_allowed(node)
    for words, word in TYPES.items():
        allowed = allowed.replace(words, word)
    return re.sub(r"^a list of (.*)entries \((.*)\)$", r"list of \1\2", allowed)


def documented_default(model, place):
    if model is Provider and place[0] in INHERITED:
        return "relay.yaml"
    default = to_jsonable_python(default_at(model, place), fallback=lambda _: "required")
    if default in (None, "required"):
        return default or "none"
    if isinstance(default, bool):
        return str(default).lower()
    return f"`{int(default) if isinstance(default, float) and default.is_integer() else default}`"


def models():
    modules = (scalars, settings, authority, core, portal, registry)
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseModel | Enum) and value.__module__ == module.__name__
    ]


@pytest.mark.parametrize("file", MANUALS)
def test_every_key_is_in_an_example_file(root, file):
    assert set(find_leaves(MANUALS[file])) - set(manual(root, file)) == set()


@pytest.mark.parametrize("file", MANUALS)
def test_every_key_has_a_documented_default(root, file):
    defaults = manual(root, file)
    assert [place for place in find_leaves(MANUALS[file]) if defaults.get(place) is None] == []


@pytest.mark.parametrize("file", MANUALS)
def test_every_documented_default_is_that_of_the_model(root, file):
    wrong = []
    for place, documented in manual(root, file).items():
        if documented is None or "properties" in (get_schema_node(MANUALS[file], (*place, 0)) or {}):
            continue
        default = default_at(MANUALS[file], place)
        if default is PydanticUndefined:
            fits = documented == "required"
        elif default is None:
            fits = documented in NO_VALUE
        else:
            fits = to_jsonable_python(default) == ([] if documented == "[]" else parse_scalar(documented))
        if not fits:
            wrong.append((place, documented, default))
    assert wrong == []


@pytest.mark.parametrize(("name", "model"), CHAPTERS.items(), ids=CHAPTERS)
def test_the_page_has_type_and_default_of_every_key(root, name, model):
    rows = {key: row[1:3] for key, row in chapter(root, name).items()}
    assert rows == {
        documented_key(place): [documented_type(get_schema_node(model, place)), documented_default(model, place)]
        for place in find_leaves(model)
    }


def test_the_page_says_which_keys_apply_at_start(root):
    keys = {key: row[3] for key, row in chapter(root, "relay.yaml").items()}
    at_start = {key for key in keys if any(f"{key.replace('[]', '')}.".startswith(f"{part}.") for part in START_ONLY)}
    assert keys == {key: "start" if key in at_start else "reload" for key in keys}


def test_the_page_explains_every_key(root):
    assert [key for name in CHAPTERS for key, row in chapter(root, name).items() if not row[-1].strip()] == []


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_model_has_a_docstring(model):
    assert vars(model).get("__doc__")


@pytest.mark.parametrize("section", START_ONLY)
def test_sections_applied_at_start_only_are_documented(root, section):
    page = (root / "docs" / "operate" / "settings.md").read_text()
    assert f"`{section}`" in page.partition("Taken at the next start only")[2]


def test_models_are_found():
    assert {Settings, Provider, Directory} < set(models())
