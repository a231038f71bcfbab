"""Checks that names and sentences are plain: no metaphors, no names that do not say what they hold."""

import ast
import re

import pytest

METAPHORS = frozenset(
    {
        "acquaint",
        "acquaintance",
        "acquainted",
        "attendant",
        "away",
        "beating",
        "begun",
        "behave",
        "closing",
        "consult",
        "consulting",
        "desk",
        "dismiss",
        "errands",
        "found",
        "furnished",
        "greet",
        "handout",
        "heard",
        "houses",
        "journey",
        "kept",
        "labour",
        "lane",
        "marks",
        "materials",
        "misdeeds",
        "neighbour",
        "neighbourhood",
        "nobody",
        "office",
        "papers",
        "proofs",
        "purse",
        "quarter",
        "returned",
        "rig",
        "road",
        "said",
        "shelf",
        "sound",
        "street",
        "told",
        "town",
        "ways",
        "welcome",
        "whoever",
        "wording",
    }
)
"""Words that no module, class or function may have in its name."""

VAGUE = frozenset({"asked", "found", "heard", "one", "said", "told", "what", "who", "whom"})
"""Names that no local variable and no parameter may have: they do not say what they hold."""

NO_SUBJECT = re.compile(r"\b(nobody|whoever|somebody|everybody|everyone|anybody)\b", re.IGNORECASE)
"""Words of sentences that do not name their subject."""

COLUMNS = {("relay/domain/jobs.py", "told"), ("relay/domain/statistics.py", "asked")}
"""Fields that are called as their columns in the ledger."""

LONGEST_TEST_NAME = len("test_") + 60
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def words(name):
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def names(path, tree):
    yield path.stem
    yield from (node.name for node in ast.walk(tree) if isinstance(node, DEFINITIONS))


def local_names(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def is_plain(name):
    return not words(name) & METAPHORS


@pytest.mark.parametrize("name", ["load_settings", "is_closed", "ConnectionPool"])
def test_a_plain_name_passes(name):
    assert is_plain(name)


@pytest.mark.parametrize("name", ["SupportOffice", "_told", "turned_away", "AuthorityDesk"])
def test_a_metaphor_in_a_name_is_found(name):
    assert not is_plain(name)


def test_no_name_of_the_relay_is_a_metaphor(relay):
    metaphors = [f"{path} {name}" for path, tree in relay.items() for name in names(path, tree) if not is_plain(name)]
    assert metaphors == []


def test_local_names_of_the_relay_say_what_they_hold(relay):
    vague = {(str(path), name) for path, tree in relay.items() for name in local_names(tree) if name in VAGUE}
    assert vague == COLUMNS


def test_sentences_of_the_relay_name_their_subject(relay, texts):
    lines = [
        f"{path}:{number} {line.strip()}"
        for path in relay
        for number, line in enumerate(texts[path].splitlines(), 1)
        if NO_SUBJECT.search(line)
    ]
    assert lines == []


def test_test_names_have_at_most_60_characters(parsed):
    long = [
        f"{path} {node.name}"
        for path, tree in parsed.items()
        if path.parts[0] == "tests"
        for node in ast.walk(tree)
        if isinstance(node, DEFINITIONS) and node.name.startswith("test_") and len(node.name) > LONGEST_TEST_NAME
    ]
    assert long == []
