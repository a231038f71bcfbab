"""Every client sends the relay's User-Agent, not that of a library."""

import ast
from pathlib import Path

from relay import __version__
from relay.infra import user_agent


def test_the_user_agent_has_name_and_version():
    assert {"User-Agent": f"relay/{__version__}"} == user_agent.HEADERS


def test_every_client_session_sends_the_user_agent():
    package = Path(user_agent.__file__).parent.parent
    sessions = [
        (str(file.relative_to(package)), {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords})
        for folder in ("infra", "oauth", "portal", "jobs", "gateway", "admin")
        for file in sorted((package / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("ClientSession")
    ]
    assert len(sessions) >= 3
    assert [file for file, keywords in sessions if keywords.get("headers") != "HEADERS"] == []
