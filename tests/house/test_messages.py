"""Checks that texts of refusals are Korean; names of fields and types are those of the standard (규격 첨부1)."""

import ast
import re

import pytest

from relay.domain.fault import FAULTS
from relay.oauth.signed_consent_grant import VERIFICATION_ERRORS

ENGLISH = re.compile(r"[a-z]+ [a-z]+")
HANGUL = re.compile("[가-힣]")
RAISED = {
    "Refusal",
    "MethodNotAllowed",
    "OAuthRefusal",
    "OAuthRefusal.from_fault",
    "DemandError",
    "Flaw",
    "_invalid",
    "_not_configured",
}
PACKAGES = ["domain", "policy", "wire", "endpoint", "infra", "gateway", "oauth", "portal", "adapter"]


def texts(node):
    """Returns the string constants of an expression."""
    return [child.value for child in ast.walk(node) if isinstance(child, ast.Constant) and isinstance(child.value, str)]


@pytest.fixture(scope="module")
def messages(root):
    """Texts of raised refusals by file and line."""
    messages = {}
    for package in PACKAGES:
        for file in sorted((root / "relay" / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in RAISED:
                    messages[f"{file.name}:{node.lineno}"] = texts(node)
    return messages


def test_raised_refusals_have_no_english_text(messages):
    english = {place: texts for place, texts in messages.items() if any(map(ENGLISH.search, texts))}
    assert english == {}
    assert len(messages) > 100


@pytest.mark.parametrize(
    "words", [fault.words for fault in FAULTS.values()] + [text for _, text in VERIFICATION_ERRORS.values()]
)
def test_tables_of_messages_are_korean(words):
    assert HANGUL.search(words)
    assert not ENGLISH.search(words)
