"""Reads the telegram files of an institution: `link.yaml` and one file for each API in its folder `telegrams`."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from relay.policy.mediation.errors import LayoutProblem
from relay.policy.mediation.institution import TelegramInstitution, compile_institution
from relay.policy.mediation.settings import TelegramLink, TelegramMessage
from relay.runtime.settings.layout_files import LayoutFiles, load_layout_files
from relay.standard.catalogue import load_catalogue

TelegramFiles = LayoutFiles[TelegramInstitution, TelegramMessage]


def load_telegram_files(
    folder: Path, industry: str, offered: Collection[str] = (), only: Path | None = None
) -> TelegramFiles:
    """Reads and compiles the files of a folder. Each API of `offered`, by api_code, must have a file.

    With `only` it reads this file of an API alone, and `link.yaml`.

    All problems are reported at once. Files of APIs are compiled only with a valid `link.yaml`.
    """

    def compile_files(
        link: tuple[str, TelegramLink],
        messages: Sequence[tuple[str, TelegramMessage]],
        rsp_codes: Mapping[str, tuple[int, str]],
        needed: Collection[str],
    ) -> tuple[TelegramInstitution | None, list[LayoutProblem]]:
        return compile_institution(link, messages, load_catalogue(), industry, rsp_codes, needed)

    return load_layout_files(folder, (TelegramLink, TelegramMessage), compile_files, offered, only)
