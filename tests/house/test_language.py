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


def test_no_name_is_a_metaphor(packages):
    metaphors = [
        f"{path} {name}" for path, tree in packages.items() for name in names(path, tree) if not is_plain(name)
    ]
    assert metaphors == []


def test_local_names_say_what_they_hold(packages):
    vague = {(str(path), name) for path, tree in packages.items() for name in local_names(tree) if name in VAGUE}
    assert vague == set()


def test_sentences_name_their_subject(packages, texts):
    lines = [
        f"{path}:{number} {line.strip()}"
        for path in packages
        for number, line in enumerate(texts[path].splitlines(), 1)
        if NO_SUBJECT.search(line)
    ]
    assert lines == []


def third_person(verb):
    if verb == "Do":
        return "Does"
    if verb.endswith(("s", "sh", "ch", "x")):
        return f"{verb}es"
    return f"{verb[:-1]}ies" if verb.endswith("y") and verb[-2] not in "aeiou" else f"{verb}s"


def is_command(function):
    """Returns whether the docstring is a help text of the command line."""
    return any("command" in ast.unparse(each) or "group" in ast.unparse(each) for each in function.decorator_list)


def first_words(packages):
    """Yields the place and the first word of each docstring of a function."""
    for path, tree in packages.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_command(node):
                docstring = ast.get_docstring(node)
                if docstring:
                    yield f"{path}:{node.lineno}", docstring.split()[0].strip(".,:;")


def test_docstrings_of_functions_are_in_the_third_person(packages):
    words_by_place = dict(first_words(packages))
    third_persons = set(words_by_place.values())
    assert {"Returns", "Raises", "Closes"} < third_persons
    assert {place: word for place, word in words_by_place.items() if third_person(word) in third_persons} == {}


def test_test_names_have_at_most_60_characters(parsed):
    long = [
        f"{path} {node.name}"
        for path, tree in parsed.items()
        if path.parts[0] == "tests"
        for node in ast.walk(tree)
        if isinstance(node, DEFINITIONS) and node.name.startswith("test_") and len(node.name) > LONGEST_TEST_NAME
    ]
    assert long == []
