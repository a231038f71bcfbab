"""Reads a folder of files of an institution's core: `link.yaml` and one file for each API."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from relay.policy.mediation.errors import LayoutProblem
from relay.policy.mediation.settings import ApiFile
from relay.runtime.settings.messages import build_problems
from relay.runtime.settings.problems import SettingsProblem, format_path
from relay.runtime.settings.yaml_files import ParsedFile, read_yaml
from relay.standard.catalogue import load_rsp_codes

LINK_FILE: Final = "link.yaml"


InstitutionT = TypeVar("InstitutionT")
MessageT = TypeVar("MessageT", bound=ApiFile)
_LinkT = TypeVar("_LinkT", bound=BaseModel)
_ModelT = TypeVar("_ModelT", bound=BaseModel)

Compile = Callable[
    [tuple[str, _LinkT], Sequence[tuple[str, MessageT]], Mapping[str, tuple[int, str]], Collection[str]],
    tuple[InstitutionT | None, list[LayoutProblem]],
]
"""Compiles link and messages with the names of their files; takes the rsp_codes and the APIs that must have a file."""


@dataclass(frozen=True, slots=True)
class LayoutFiles(Generic[InstitutionT, MessageT]):
    """The compiled files of `folder`, None with problems; `parsed` are all files that were read.

    `messages` are the models of the files of APIs, by api_code.
    """

    folder: Path
    institution: InstitutionT | None
    problems: tuple[SettingsProblem, ...]
    parsed: tuple[ParsedFile, ...]
    messages: Mapping[str, MessageT] = field(default_factory=dict)

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that were read, for watching."""
        return tuple(parsed.path for parsed in self.parsed)


def load_layout_files(
    folder: Path,
    models: tuple[type[_LinkT], type[MessageT]],
    compile_files: Compile[_LinkT, MessageT, InstitutionT],
    offered: Collection[str] = (),
    only: Path | None = None,
) -> LayoutFiles[InstitutionT, MessageT]:
    """Reads and compiles the files of a folder. Each API of `offered`, by api_code, must have a file.

    With `only` it reads this file of an API alone, and `link.yaml`.

    All problems are reported at once. Files of APIs are compiled only with a valid `link.yaml`.
    """
    link_path = folder / LINK_FILE
    paths = [only] if only is not None else list_layout_files(folder)
    parsed = [read_yaml(path) for path in (link_path, *paths)]
    link, problems = _read_model(parsed[0], models[0])
    messages: list[tuple[str, MessageT]] = []
    for file in parsed[1:]:
        message, message_problems = _read_model(file, models[1])
        problems += message_problems
        if message is not None:
            messages.append((format_path(file.path), message))
    institution = None
    if link is not None:
        missing = offered if len(messages) == len(paths) else ()  # the API of an unreadable file is unknown
        rsp_codes = {code: (row.http, row.meaning) for code, row in load_rsp_codes().items()}
        institution, layout_problems = compile_files((format_path(link_path), link), messages, rsp_codes, missing)
        problems += [
            SettingsProblem(problem.file, problem.key, problem.wrong, problem.allowed) for problem in layout_problems
        ]
    by_api = {message.api: message for _, message in messages}
    return LayoutFiles(folder, None if problems else institution, tuple(problems), tuple(parsed), by_api)


def list_layout_files(folder: Path) -> list[Path]:
    """Returns the files of APIs in a folder."""
    return sorted(path for path in folder.glob("*.yaml") if path.name != LINK_FILE and path.name[0] != ".")


def _read_model(parsed: ParsedFile, model: type[_ModelT]) -> tuple[_ModelT | None, list[SettingsProblem]]:
    if parsed.values is None:
        return None, parsed.problems
    try:
        return model.model_validate_json(json.dumps(parsed.values), strict=True), parsed.problems
    except ValidationError as error:
        return None, parsed.problems + build_problems(error, model, format_path(parsed.path), {})
