from pathlib import Path

from pydantic import Field

from relay.policy.mediation.errors import LayoutProblem
from relay.policy.settings.scalars import Section
from relay.runtime.settings.layout_files import load_layout_files


class Link(Section):
    name: str


class Message(Section):
    api: str = Field(min_length=2)


def compile_files(link, messages, rsp_codes, needed):
    missing = sorted(set(needed) - {message.api for _, message in messages})
    problems = [LayoutProblem(link[0], "", f"has no file for {api}") for api in missing]
    return (None if problems else (link[1].name, [message.api for _, message in messages])), problems


def load(folder, files, offered=()):
    for name, text in files.items():
        (folder / name).write_text(text)
    return load_layout_files(folder, (Link, Message), compile_files, offered)


def test_link_and_messages_are_compiled(tmp_path):
    loaded = load(tmp_path, {"link.yaml": "name: a", "X.yaml": "api: XX", ".hidden.yaml": "no: no"}, ["XX"])
    assert (loaded.institution, loaded.problems) == (("a", ["XX"]), ())
    assert [path.name for path in loaded.files] == ["link.yaml", "X.yaml"]


def test_a_missing_link_is_a_problem(tmp_path):
    loaded = load(tmp_path, {"X.yaml": "api: X"})
    assert loaded.institution is None
    assert [Path(problem.file).name for problem in loaded.problems] == ["link.yaml", "X.yaml"]


def test_an_unreadable_file_may_be_that_of_a_missing_api(tmp_path):
    loaded = load(tmp_path, {"link.yaml": "name: a", "X.yaml": "api: X"}, ["XX"])
    assert [problem.key for problem in loaded.problems] == ["api"]
    assert [problem.wrong for problem in load(tmp_path, {"X.yaml": "api: YY"}, ["XX"]).problems] == [
        "has no file for XX"
    ]
