"""Loads the settings: `relay.yaml`, the institutions' files, the directory and environment variables."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from relay.policy.mediation.institution import TelegramInstitution
from relay.policy.mediation.json_api.institution import JsonInstitution
from relay.policy.settings.directory import Directory, Language, Provider
from relay.policy.settings.model import Settings
from relay.policy.settings.scalars import Section
from relay.runtime.settings.consistency import ModelFile, check_consistency, list_offered_apis, merge_timeouts
from relay.runtime.settings.environment import apply_variables
from relay.runtime.settings.file_references import SecretMissing, find_references
from relay.runtime.settings.generation import compute_fingerprint
from relay.runtime.settings.json_files import JsonFiles, load_json_files
from relay.runtime.settings.messages import KeyPath, build_problems
from relay.runtime.settings.problems import SettingsError, SettingsProblem, format_path
from relay.runtime.settings.telegram_files import TelegramFiles, load_telegram_files
from relay.runtime.settings.yaml_files import ParsedFile, read_yaml

__all__ = ["LoadedSettings", "SecretMissing", "SettingsError", "SettingsProblem", "load_settings"]

_SectionT = TypeVar("_SectionT", bound=Section)


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings read at one time. All paths in the models are absolute; `env:` references stay as written.

    `providers` are in the order of their file names; `provider_files` are these files. The `timeouts` of a provider are
    complete: those that its file omits come from `relay.yaml`. With a portal `directory` is empty, because the ledger
    holds the registry. `files` are all files read or referenced (yaml, certificates, CAs, keys), absolute and unique,
    for watching; new files may appear in the folder `settings.providers`. `fingerprint` names this generation of
    settings, certificates and keys: see `compute_fingerprint`. `telegrams` are the compiled layouts of institutions
    that speak telegrams, by org_code, `json_apis` those of institutions that speak JSON of their own; new files may
    appear in `layout_folders`.
    """

    settings: Settings
    providers: tuple[Provider, ...]
    directory: Directory
    files: tuple[Path, ...]
    fingerprint: str
    provider_files: tuple[Path, ...] = ()
    telegrams: Mapping[str, TelegramInstitution] = field(default_factory=dict)
    json_apis: Mapping[str, JsonInstitution] = field(default_factory=dict)
    layout_folders: tuple[Path, ...] = ()

    @property
    def needs_adapter(self) -> bool:
        """Whether an institution needs the adapter."""
        return bool(self.telegrams or self.json_apis)


_NUMBERS_PER_REQUEST: Final = 1000
"""A late response must not have the number of another request on its line."""


def load_settings(path: Path, environ: Mapping[str, str]) -> LoadedSettings:
    """Loads `relay.yaml` at `path` and the files it names; `RELAY__` variables of `environ` override `relay.yaml`.

    Parses yaml files only; certificates and keys count for the fingerprint, whatever they hold. Raises SettingsError
    with all problems of all files.
    """
    path = path.absolute()
    relay_yaml = read_yaml(path)
    settings, problems = _validate_settings(relay_yaml, environ)
    if not relay_yaml.content and relay_yaml.problems:
        raise SettingsError(problems, [path])
    providers_folder = _resolve_key(relay_yaml, "providers")
    provider_files, folder_problems = _list_files(path, providers_folder)
    problems += folder_problems
    parsed_files = [relay_yaml]
    providers: list[ModelFile[Provider]] = []
    for file in provider_files:
        parsed_files.append(read_yaml(file))
        provider, provider_problems = _validate(parsed_files[-1], Provider)
        problems += provider_problems
        if provider is not None:
            providers.append(ModelFile(file, provider))
    directory, directory_problems = _read_directory(relay_yaml, parsed_files)
    problems += directory_problems
    telegrams, json_apis = _read_telegrams(providers), _read_json_apis(providers)
    layouts: list[TelegramFiles | JsonFiles] = [*telegrams.values(), *json_apis.values()]
    for files in layouts:
        problems += files.problems
        parsed_files += files.parsed
    problems += _check_requests(providers, telegrams)
    problems += check_consistency(None if settings is None else ModelFile(path, settings), providers, directory)
    pairs = [(provider.file, provider.model) for provider in providers]
    references = [] if settings is None else list(find_references(path, settings, pairs))
    watched = [parsed.path for parsed in parsed_files]
    watched += [reference.path for reference in references if reference.path is not None]
    if problems or settings is None:
        raise SettingsError(problems, [*watched, providers_folder])
    return LoadedSettings(
        settings=settings,
        providers=tuple(_complete_timeouts(settings, provider.model) for provider in providers),
        directory=Directory() if directory is None else directory.model,
        files=tuple(dict.fromkeys(watched)),
        fingerprint=compute_fingerprint(path.parent, parsed_files, references, environ),
        provider_files=tuple(provider.file for provider in providers),
        telegrams={code: files.institution for code, files in telegrams.items() if files.institution is not None},
        json_apis={code: files.institution for code, files in json_apis.items() if files.institution is not None},
        layout_folders=tuple(files.folder for files in layouts),
    )


def _read_telegrams(providers: Sequence[ModelFile[Provider]]) -> dict[str, TelegramFiles]:
    """Reads the layouts of institutions that speak telegrams, by org_code."""
    telegrams: dict[str, TelegramFiles] = {}
    for provider in providers:
        model = provider.model
        if model.speaks is Language.TELEGRAM:
            folder = Path(model.telegrams or provider.file.with_suffix("") / "telegrams")
            telegrams[model.org_code] = load_telegram_files(folder, model.industry, list_offered_apis(model))
    return telegrams


def _read_json_apis(providers: Sequence[ModelFile[Provider]]) -> dict[str, JsonFiles]:
    """Reads the files of institutions that speak JSON of their own, by org_code."""
    json_apis: dict[str, JsonFiles] = {}
    for provider in providers:
        model = provider.model
        if model.speaks is Language.JSON:
            folder = Path(model.json_apis or provider.file.with_suffix("") / "json")
            json_apis[model.org_code] = load_json_files(folder, model.industry, list_offered_apis(model))
    return json_apis


def _check_requests(
    providers: Sequence[ModelFile[Provider]], telegrams: Mapping[str, TelegramFiles]
) -> Iterator[SettingsProblem]:
    """Yields lines that are to carry several requests, although telegrams have no or short unique numbers."""
    for provider in providers:
        core, files = provider.model.core, telegrams.get(provider.model.org_code)
        if core is None or core.requests == 1 or files is None or files.institution is None:
            continue
        digits = files.institution.link.unique_digits
        if digits and 10**digits < _NUMBERS_PER_REQUEST * core.requests:
            wrong = f"is {core.requests}, but unique numbers of {digits} digits are soon those of earlier requests"
            yield provider.build_problem("core.requests", wrong, "1, or a longer field = $unique_number")
        if not digits:
            wrong = f"is {core.requests}, but telegrams have no unique number"
            yield provider.build_problem("core.requests", wrong, "1, or a field = $unique_number in the header")


def _complete_timeouts(settings: Settings, provider: Provider) -> Provider:
    if provider.timeouts is None:
        return provider
    return provider.model_copy(update={"timeouts": merge_timeouts(settings.upstream.timeouts, provider.timeouts)})


def _read_directory(
    relay_yaml: ParsedFile, parsed_files: list[ParsedFile]
) -> tuple[ModelFile[Directory] | None, list[SettingsProblem]]:
    """Reads the directory and appends its file to `parsed_files`. With a portal no directory is read.

    An unreadable `relay.yaml` may have a portal: then a missing directory is no problem of its own.
    """
    if (relay_yaml.values or {}).get("portal") is not None:
        return None, []
    file = _resolve_key(relay_yaml, "directory")
    if relay_yaml.values is None and not file.exists():
        return None, []
    parsed = read_yaml(file)
    parsed_files.append(parsed)
    directory, problems = _validate(parsed, Directory)
    return (None if directory is None else ModelFile(parsed.path, directory)), problems


def _resolve_key(relay_yaml: ParsedFile, key: str) -> Path:
    """Returns the path under `key`, or its default; `relay.yaml` may have problems, and other files are still read."""
    value = (relay_yaml.values or {}).get(key)
    default = Settings.model_fields[key].default
    return relay_yaml.path.parent / (value if isinstance(value, str) and value else default)


def _validate_settings(
    relay_yaml: ParsedFile, environ: Mapping[str, str]
) -> tuple[Settings | None, list[SettingsProblem]]:
    if relay_yaml.values is None:
        return None, [*relay_yaml.problems]
    variables, variable_problems = apply_variables(relay_yaml.values, environ)
    settings, problems = _validate(relay_yaml, Settings, variables)
    return settings, problems + variable_problems


def _validate(
    parsed: ParsedFile, model: type[_SectionT], variables: Mapping[KeyPath, str] | None = None
) -> tuple[_SectionT | None, list[SettingsProblem]]:
    if parsed.values is None:
        return None, parsed.problems
    try:
        # strict mode for JSON: "8443" is no port and 1 is not true, but lists become tuples and texts enum members
        text = json.dumps(parsed.values)
        section = model.model_validate_json(text, strict=True, context={"folder": parsed.path.parent})
    except ValidationError as error:
        return None, parsed.problems + build_problems(error, model, format_path(parsed.path), variables or {})
    return section, parsed.problems


def _list_files(path: Path, folder: Path) -> tuple[list[Path], list[SettingsProblem]]:
    """Returns the yaml files of the folder under `providers` in `path`, or a problem."""
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix in {".yaml", ".yml"} and file.name[0] != ".")
    except FileNotFoundError:
        wrong = "names a folder that does not exist"
    except NotADirectoryError:
        wrong = "names a file"
    except OSError as error:
        wrong = f"names a folder that cannot be read ({error.strerror})"
    else:
        if files:
            return files, []
        wrong = "names a folder without .yaml files"
    return [], [
        SettingsProblem(
            format_path(path), "providers", wrong, f"a folder with one file for each institution ({folder})"
        )
    ]
