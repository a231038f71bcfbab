"""Problems of the settings: all are reported at once, one line each. No line repeats a value from a file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SettingsProblem:
    """One problem: the file (or `environment`), the dotted key (or `line N`), what is wrong, what is allowed.

    It is printed as `file: key: wrong; expected: allowed`. `allowed` is "" when `wrong` is enough.
    """

    file: str
    key: str
    wrong: str
    allowed: str = ""

    def __str__(self) -> str:
        place = f"{self.file}: {self.key}" if self.key else self.file
        return f"{place}: {self.wrong}; expected: {self.allowed}" if self.allowed else f"{place}: {self.wrong}"


class SettingsError(Exception):
    """The settings cannot be used. `problems` holds every problem of every file, in reading order; it is not empty.

    `files` are the files that were read or referenced: when one of them changes, the settings may be usable again.
    """

    def __init__(self, problems: Iterable[SettingsProblem], files: Iterable[Path] = ()) -> None:
        self.problems = tuple(problems)
        self.files = tuple(files)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def format_key(key_path: Iterable[str | int]) -> str:
    """Returns a key path in dotted form: `gateway.listeners[0].port`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key_path)
    return text.removeprefix(".")


def format_path(path: Path) -> str:
    """Returns a path for messages: relative to the working directory if it is below it, otherwise absolute."""
    folder = Path.cwd()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
