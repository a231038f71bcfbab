"""What callers read of a refusal is Korean; names of fields and types are those of the standard (규격 첨부1)."""

import ast
import re

import pytest

from relay.domain.fault import FAULTS
from relay.oauth.by_signature import UNPROVEN

ENGLISH = re.compile(r"[a-z]+ [a-z]+")
HANGUL = re.compile("[가-힣]")
RAISED = {"Refusal", "MethodNotAllowed", "OAuthRefusal", "OAuthRefusal.of", "DemandFault", "Flaw", "_invalid", "_unfit"}
ROOMS = ["domain", "policy", "wire", "endpoint", "infra", "gateway", "oauth", "portal"]


def texts(node):
    """Every text that is written in an expression."""
    return [each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]


@pytest.fixture(scope="module")
def messages(root):
    """Texts with which refusals are raised, with file and line."""
    found = {}
    for room in ROOMS:
        for file in sorted((root / "relay" / room).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in RAISED:
                    found[f"{file.name}:{node.lineno}"] = texts(node)
    return found


def test_refusals_are_raised_with_words_of_one_language(messages):
    english = {place: said for place, said in messages.items() if any(map(ENGLISH.search, said))}
    assert english == {}
    assert len(messages) > 100


@pytest.mark.parametrize("words", [fault.words for fault in FAULTS.values()] + [said for _, said in UNPROVEN.values()])
def test_tables_of_messages_are_korean(words):
    assert HANGUL.search(words)
    assert not ENGLISH.search(words)
