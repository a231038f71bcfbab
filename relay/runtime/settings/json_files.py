"""Reads the files of an institution that speaks JSON of its own: `link.yaml` and one file for each API."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from relay.policy.mediation.errors import LayoutProblem
from relay.policy.mediation.json_api.institution import JsonInstitution, compile_json_institution
from relay.policy.mediation.json_api.settings import JsonLink, JsonMessage
from relay.runtime.settings.layout_files import LayoutFiles, load_layout_files
from relay.standard.catalogue import load_catalogue

JsonFiles = LayoutFiles[JsonInstitution, JsonMessage]


def load_json_files(folder: Path, industry: str, offered: Collection[str] = ()) -> JsonFiles:
    """Reads and compiles the files of a folder. Each API of `offered`, by api_code, must have a file.

    All problems are reported at once. Files of APIs are compiled only with a valid `link.yaml`.
    """

    def compile_files(
        link: tuple[str, JsonLink],
        messages: Sequence[tuple[str, JsonMessage]],
        rsp_codes: Mapping[str, tuple[int, str]],
        needed: Collection[str],
    ) -> tuple[JsonInstitution | None, list[LayoutProblem]]:
        return compile_json_institution(link, messages, load_catalogue(), industry, rsp_codes, needed)

    return load_layout_files(folder, (JsonLink, JsonMessage), compile_files, offered)
