"""Opens the layouts that a command names: a file, a folder, or the org_code of an institution."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relay.domain.ids import INDUSTRIES
from relay.policy.mediation.conversion import Conversion
from relay.policy.mediation.institution import TelegramInstitution
from relay.policy.mediation.link import Link
from relay.policy.mediation.settings import TelegramMessage
from relay.policy.settings.directory import Provider
from relay.runtime.commands.printing import EXIT_UNUSABLE, exit_with
from relay.runtime.settings.layout_files import LINK_FILE, list_layout_files
from relay.runtime.settings.loading import LoadedSettings, SettingsError, load_settings
from relay.runtime.settings.telegram_files import TelegramFiles, load_telegram_files
from relay.runtime.settings.yaml_files import read_yaml
from relay.standard.catalogue import load_catalogue

_ORG_CODE: Final = re.compile(r"[A-Z0-9]{10}")
_SUFFIXES: Final = {".yaml", ".yml"}


@dataclass(frozen=True, slots=True)
class Layouts:
    """The compiled layouts that a command works with. `name` is what the user wrote; `org_code` may be ""."""

    name: str
    folder: Path
    institution: TelegramInstitution
    messages: Mapping[str, TelegramMessage]
    org_code: str = ""

    @property
    def link(self) -> Link:
        """What all telegrams have in common."""
        return self.institution.link

    def get(self, api: str) -> Conversion:
        """Returns the conversion of an API by api_code (BA04) or api_id (은행-004). Ends the command without one."""
        conversions = self.institution.conversions
        named = load_catalogue().apis.get(api)
        code = named.api_code if named is not None else api.upper()
        if code not in conversions:
            exit_with(f"{api}: {self.name} has no layout of this API; it has {', '.join(conversions)}", EXIT_UNUSABLE)
        return conversions[code]

    def find_by_code(self, code: str) -> Conversion | None:
        """Returns the conversion with this transaction code in requests or responses, None for none or several."""
        matches = [each for each in self.institution.conversions.values() if code in {each.code, each.response_code}]
        return matches[0] if len(matches) == 1 else None


def open_layouts(target: str, config: Path) -> Layouts:
    """Returns the layouts of a file, a folder or an org_code. Ends the command with all problems of the files."""
    path = Path(target)
    if path.exists() or not _ORG_CODE.fullmatch(target):
        return _open_path(target, path)
    loaded, provider = find_institution(target, config)
    return open_institution(loaded, provider)


def find_institution(org_code: str, config: Path) -> tuple[LoadedSettings, Provider]:
    """Returns the settings and the institution with an org_code. Ends the command if it does not speak telegrams."""
    loaded = load_or_exit(config)
    provider = next((provider for provider in loaded.providers if provider.org_code == org_code), None)
    names = ", ".join(loaded.telegrams) or "none"
    if provider is None:
        text = f"{org_code}: no institution of {config} has this org_code; those that speak telegrams: {names}"
        exit_with(text, EXIT_UNUSABLE)
    if org_code not in loaded.telegrams:
        text = f"{org_code}: speaks {provider.speaks.value}, not telegram; those that speak telegrams: {names}"
        exit_with(text, EXIT_UNUSABLE)
    return loaded, provider


def load_or_exit(config: Path) -> LoadedSettings:
    """Returns the settings. Ends the command with all problems of the files."""
    try:
        return load_settings(config, os.environ)
    except SettingsError as problems:
        exit_with(str(problems), EXIT_UNUSABLE)


def open_institution(loaded: LoadedSettings, provider: Provider) -> Layouts:
    """Returns the layouts of an institution whose settings are loaded."""
    index = loaded.providers.index(provider)
    folder = Path(provider.telegrams or loaded.provider_files[index].with_suffix("") / "telegrams")
    return _build(provider.org_code, load_telegram_files(folder, provider.industry), provider.org_code)


def _open_path(target: str, path: Path) -> Layouts:
    if path.is_dir():
        if not (path / LINK_FILE).exists():
            exit_with(f"{target}: has no {LINK_FILE}; expected: a folder with {LINK_FILE} and a file for each API", 2)
        return _build(target, load_telegram_files(path, _find_industry(list_layout_files(path))))
    if not path.exists():
        exit_with(f"{target}: no such file or folder; expected: a layout, its folder, or an org_code", EXIT_UNUSABLE)
    if path.suffix not in _SUFFIXES:
        exit_with(f"{target}: is no .yaml file; expected: a layout, its folder, or an org_code", EXIT_UNUSABLE)
    if path.name == LINK_FILE:
        return _build(target, load_telegram_files(path.parent, _find_industry(list_layout_files(path.parent))))
    return _build(target, load_telegram_files(path.parent, _find_industry([path]), only=path))


def _build(name: str, files: TelegramFiles, org_code: str = "") -> Layouts:
    if files.institution is None:
        exit_with("\n".join(map(str, files.problems)), EXIT_UNUSABLE)
    return Layouts(name, files.folder, files.institution, files.messages, org_code)


def _find_industry(files: list[Path]) -> str:
    """Returns the first industry that has all APIs of the files; bank for files that name none."""
    codes = {str((read_yaml(file).values or {}).get("api", "")) for file in files}
    catalogue = load_catalogue()
    for industry in INDUSTRIES:
        known = {api.api_code for api in catalogue.iter_apis(industry, later=True)}
        if codes <= known:
            return industry
    return INDUSTRIES[0]
