"""Every client of the product names the relay, and no library."""

import ast
from pathlib import Path

from relay import __version__
from relay.infra import user_agent


def test_the_name_is_the_relays_with_its_version():
    assert {"User-Agent": f"relay/{__version__}"} == user_agent.HEADERS


def test_every_client_session_of_the_product_sends_it():
    rooms = Path(user_agent.__file__).parent.parent
    sessions = [
        (str(file.relative_to(rooms)), {word.arg: ast.unparse(word.value) for word in node.keywords})
        for folder in ("infra", "oauth", "portal", "jobs", "gateway", "admin")
        for file in sorted((rooms / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("ClientSession")
    ]
    assert len(sessions) >= 3
    assert [file for file, words in sessions if words.get("headers") != "HEADERS"] == []
