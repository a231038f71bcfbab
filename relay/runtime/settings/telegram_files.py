"""Reads the telegram files of an institution: `link.yaml` and one file for each API in its folder `telegrams`."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from relay.policy.mediation.institution import TelegramInstitution, compile_institution
from relay.policy.mediation.settings import TelegramLink, TelegramMessage
from relay.runtime.settings.messages import build_problems
from relay.runtime.settings.problems import SettingsProblem, format_path
from relay.runtime.settings.yaml_files import ParsedFile, read_yaml
from relay.standard.catalogue import load_catalogue, load_rsp_codes

LINK_FILE: Final = "link.yaml"

_ModelT = TypeVar("_ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class TelegramFiles:
    """The compiled files of `folder`, None with problems; `parsed` are all files that were read.

    `messages` are the models of the files of APIs, by api_code.
    """

    folder: Path
    institution: TelegramInstitution | None
    problems: tuple[SettingsProblem, ...]
    parsed: tuple[ParsedFile, ...]
    messages: Mapping[str, TelegramMessage] = field(default_factory=dict)

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that were read, for watching."""
        return tuple(parsed.path for parsed in self.parsed)


def load_telegram_files(
    folder: Path, industry: str, offered: Collection[str] = (), only: Path | None = None
) -> TelegramFiles:
    """Reads and compiles the files of a folder. Each API of `offered`, by api_code, must have a file.

    With `only` it reads this file of an API alone, and `link.yaml`.

    All problems are reported at once. Files of APIs are compiled only with a valid `link.yaml`.
    """
    link_path = folder / LINK_FILE
    paths = [only] if only is not None else list_layout_files(folder)
    parsed = [read_yaml(path) for path in (link_path, *paths)]
    link, problems = _read_model(parsed[0], TelegramLink)
    messages: list[tuple[str, TelegramMessage]] = []
    for file in parsed[1:]:
        message, message_problems = _read_model(file, TelegramMessage)
        problems += message_problems
        if message is not None:
            messages.append((format_path(file.path), message))
    institution = None
    if link is not None:
        missing = offered if len(messages) == len(paths) else ()  # the API of an unreadable file is unknown
        rsp_codes = {code: (row.http, row.meaning) for code, row in load_rsp_codes().items()}
        institution, layout_problems = compile_institution(
            (format_path(link_path), link), messages, load_catalogue(), industry, rsp_codes, missing
        )
        problems += [
            SettingsProblem(problem.file, problem.key, problem.wrong, problem.allowed) for problem in layout_problems
        ]
    models = {message.api: message for _, message in messages}
    return TelegramFiles(folder, None if problems else institution, tuple(problems), tuple(parsed), models)


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
