"""What is wrong in the settings: one line each, told all at once, never with a value that somebody wrote."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: the file (or `environment`), the dotted key (or `line N`), what is wrong, what is allowed.

    `allowed` is "" when `wrong` says everything. Printed `file: key: wrong, allowed`.
    """

    file: str
    key: str
    wrong: str
    allowed: str = ""

    def __str__(self) -> str:
        place = f"{self.file}: {self.key}" if self.key else self.file
        return f"{place}: {self.wrong}, {self.allowed}" if self.allowed else f"{place}: {self.wrong}"


class ConfigProblems(Exception):
    """The settings cannot be used. `problems` holds every problem of every file, in reading order; never empty.

    `files` are those that were read or named: when one of them changes, the settings may have become usable.
    """

    def __init__(self, problems: Iterable[Problem], files: Iterable[Path] = ()) -> None:
        self.problems = tuple(problems)
        self.files = tuple(files)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def dotted(place: Iterable[str | int]) -> str:
    """A place in a file as readers write it: `gateway.listeners[0].port`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")


def shown(path: Path) -> str:
    """A file's name for a problem: relative to the working directory when it lies below it, else absolute."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
