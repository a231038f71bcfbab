"""Settings in: `relay.yaml`, the providers' files, the directory and the environment become models, or problems."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from relay.policy.settings.directory import Directory, Provider
from relay.policy.settings.model import Settings
from relay.policy.settings.scalars import Model
from relay.runtime.settings.consistency import Read, crosscheck, over
from relay.runtime.settings.environment import PREFIX, override
from relay.runtime.settings.messages import Place, problems_of
from relay.runtime.settings.problems import ConfigProblems, Problem, shown
from relay.runtime.settings.secret_references import SecretMissing, references, secret
from relay.runtime.settings.yaml_files import Sheet, read

__all__ = ["ConfigProblems", "Loaded", "Problem", "SecretMissing", "load", "secret"]

_M = TypeVar("_M", bound=Model)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings of one moment. Every file named in the models is absolute; `env:` references stay as written.

    A provider's `timeouts`, when it writes some, are whole: relay.yaml's stand where its file is silent.
    `directory` is empty where there is a portal: the ledger holds what it tells then.
    `files` are the files read or referenced (yaml, certificates, CAs, keys), to be watched: absolute, each once. The
    folder `settings.providers` may get new ones. `generation` is 12 hex digits over names and contents of the yaml
    files and the `RELAY__` variables. `sources` names the file of each provider, in the order of `providers`, which is
    the order of file names.
    """

    settings: Settings
    providers: tuple[Provider, ...]
    directory: Directory
    files: tuple[Path, ...]
    generation: str
    sources: tuple[Path, ...] = ()


def load(path: Path, environ: Mapping[str, str]) -> Loaded:
    """Read `relay.yaml` at `path` and all it leads to, `RELAY__` variables of `environ` on top.

    Opens yaml files only; certificates and keys are opened by whoever uses them. Raises ConfigProblems with all
    problems of all files.
    """
    path = path.absolute()
    sheet = read(path)
    settings, problems = _settings(sheet, environ)
    if not sheet.content and sheet.problems:
        raise ConfigProblems(problems, [path])
    files, found = _folder(path, _beside(path, sheet, "providers"))
    problems += found
    sheets = [sheet]
    providers: list[Read[Provider]] = []
    for file in files:
        sheets.append(read(file))
        provider, found = _validated(sheets[-1], Provider)
        problems += found
        if provider is not None:
            providers.append(Read(file, provider))
    directory, found = _directory(path, sheet, sheets)
    problems += found
    problems += crosscheck(None if settings is None else Read(path, settings), providers, directory)
    pairs = [(each.file, each.model) for each in providers]
    named = [] if settings is None else [reference.path for reference in references(path, settings, pairs)]
    if problems or settings is None:
        read_or_named = [*(each.path for each in sheets), *(file for file in named if file is not None)]
        raise ConfigProblems(problems, [*read_or_named, _beside(path, sheet, "providers")])
    return Loaded(
        settings=settings,
        providers=tuple(_with_timeouts(settings, each.model) for each in providers),
        directory=Directory() if directory is None else directory.model,
        files=tuple(dict.fromkeys([*(each.path for each in sheets), *(file for file in named if file is not None)])),
        generation=_generation(path.parent, sheets, environ),
        sources=tuple(each.file for each in providers),
    )


def _with_timeouts(settings: Settings, provider: Provider) -> Provider:
    if provider.timeouts is None:
        return provider
    return provider.model_copy(update={"timeouts": over(settings.upstream.timeouts, provider.timeouts)})


def _directory(path: Path, sheet: Sheet, sheets: list[Sheet]) -> tuple[Read[Directory] | None, list[Problem]]:
    """The directory in a file; where a portal tells who may call, there is none, and none is looked for."""
    if (sheet.values or {}).get("portal") is not None:
        return None, []
    sheets.append(read(_beside(path, sheet, "directory")))
    listed, found = _validated(sheets[-1], Directory)
    return (None if listed is None else Read(sheets[-1].path, listed)), found


def _beside(path: Path, sheet: Sheet, key: str) -> Path:
    """Where `key` leads even when the file has other problems, so that all are told at once."""
    written = (sheet.values or {}).get(key)
    default = Settings.model_fields[key].default
    return path.parent / (written if isinstance(written, str) and written else default)


def _settings(sheet: Sheet, environ: Mapping[str, str]) -> tuple[Settings | None, list[Problem]]:
    if sheet.values is None:
        return None, [*sheet.problems]
    named, problems = override(sheet.values, environ)
    settings, found = _validated(sheet, Settings, named)
    return settings, found + problems


def _validated(
    sheet: Sheet, model: type[_M], named: Mapping[Place, str] | None = None
) -> tuple[_M | None, list[Problem]]:
    if sheet.values is None:
        return None, sheet.problems
    try:
        # JSON's strict mode: "8443" is no port and 1 is not true, yet lists may become tuples and texts choices
        text = json.dumps(sheet.values)
        found = model.model_validate_json(text, strict=True, context={"folder": sheet.path.parent})
    except ValidationError as error:
        return None, sheet.problems + problems_of(error, model, shown(sheet.path), named or {})
    return found, sheet.problems


def _folder(path: Path, folder: Path) -> tuple[list[Path], list[Problem]]:
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix in {".yaml", ".yml"} and file.name[0] != ".")
    except FileNotFoundError:
        wrong = "leads to a folder that does not exist"
    except NotADirectoryError:
        wrong = "leads to a file"
    except OSError as error:
        wrong = f"leads to a folder that cannot be read ({error.strerror})"
    else:
        if files:
            return files, []
        wrong = "leads to a folder without .yaml files"
    return [], [Problem(shown(path), "providers", wrong, f"a folder with one file for each institution ({folder})")]


def _generation(root: Path, sheets: Sequence[Sheet], environ: Mapping[str, str]) -> str:
    parts = [
        [str(each.path.relative_to(root) if each.path.is_relative_to(root) else each.path).encode(), each.content]
        for each in sheets
    ]
    parts += [
        [name.encode(), environ[name].encode(errors="surrogateescape")]
        for name in sorted(environ)
        if name.startswith(PREFIX)
    ]
    digest = hashlib.sha256()
    for part in parts:
        for piece in part:
            digest.update(len(piece).to_bytes(8) + piece)
    return digest.hexdigest()[:12]
