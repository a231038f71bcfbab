"""Checks that files of telegrams and of JSON have in common, and the problems of one file."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from relay.domain.api import Api, Catalogue
from relay.policy.mediation.conversion import RspCodes
from relay.policy.mediation.errors import LayoutError, LayoutProblem
from relay.policy.mediation.mapping.expressions import Scope, check_codes
from relay.policy.mediation.paging.seal import MAX_KEY_BYTES
from relay.policy.mediation.settings import EMPTY, ApiFile, Expression, ListPaging

MessageT = TypeVar("MessageT", bound=ApiFile)


@dataclass(slots=True)
class FileProblems:
    """Problems and warnings of one file while it is compiled."""

    name: str
    problems: list[LayoutError] = field(default_factory=list)
    warnings: list[LayoutError] = field(default_factory=list)

    def add(self, key: str, wrong: str, allowed: str = "") -> None:
        """Adds a problem."""
        self.problems.append(LayoutError(key, wrong, allowed))

    def warn(self, key: str, wrong: str, allowed: str = "") -> None:
        """Adds a warning: the file works, but probably not as intended."""
        self.warnings.append(LayoutError(key, wrong, allowed))


def find_apis(
    link_file: FileProblems,
    messages: Iterable[tuple[str, MessageT]],
    catalogue: Catalogue,
    industry: str,
    offered: Collection[str],
) -> tuple[list[FileProblems], list[tuple[FileProblems, MessageT, Api]]]:
    """Returns the problems of all files, `link_file` first, and each message whose API the industry has.

    Each message comes with the name of its file. An API that has two files, or is `offered` without one, is a problem.
    """
    files = [link_file]
    apis = {api.api_code: api for api in catalogue.iter_apis(industry, later=True)}
    matches: list[tuple[FileProblems, MessageT, Api]] = []
    names: dict[str, str] = {}
    for name, message in messages:
        file = FileProblems(name)
        files.append(file)
        api = apis.get(message.api)
        if api is None:
            file.add("api", f"is no API of the industry {industry}", "one of " + ", ".join(apis))
            continue
        if message.api in names:
            file.add("api", f"is also that of {names[message.api]}", "one file for each API")
        names[message.api] = name
        matches.append((file, message, api))
    for api_code in sorted(set(offered) - set(names)):
        link_file.add("", f"has no file for {api_code}, which the institution offers", f"a file with api: {api_code}")
    return files, matches


def report_problems(files: Sequence[FileProblems], link_file: str, link_keys: str) -> list[LayoutProblem]:
    """Returns the problems of files. Those of keys that begin with `link_keys` are the link's, whichever shows them."""
    return _report(((file.name, error) for file in files for error in file.problems), link_file, link_keys)


def report_warnings(files: Sequence[FileProblems], link_file: str, link_keys: str) -> list[LayoutProblem]:
    """Returns the warnings of files, as `report_problems` does."""
    return _report(((file.name, error) for file in files for error in file.warnings), link_file, link_keys)


def _report(errors: Iterable[tuple[str, LayoutError]], link_file: str, link_keys: str) -> list[LayoutProblem]:
    problems = (
        LayoutProblem(link_file if error.key.startswith(link_keys) else name, error.key, error.wrong, error.allowed)
        for name, error in errors
    )
    return list(dict.fromkeys(problems))


def check_response_codes(key: str, codes: Mapping[str, str], file: FileProblems, known: RspCodes) -> None:
    """Adds a problem for each value that is no rsp_code."""
    for code, rsp_code in codes.items():
        if rsp_code != EMPTY and rsp_code not in known:
            file.add(f"{key}.{code}", "is no rsp_code of the standard", "a code of 첨부1, or empty")


def check_paging(
    paging: ListPaging,
    scope: Scope,
    lists: Sequence[str],
    answer: Mapping[str, Expression],
    parameters: Collection[str],
    file: FileProblems,
) -> None:
    """Adds what is wrong with the paging of an API; `lists` are those of its answer."""
    if paging.list not in lists:
        file.add("paging.list", "is no list of the answer", "one of " + ", ".join(lists))
    rows = {name: field for group in scope.groups.values() for name, field in group.fields.items()}
    fields = {**rows, **scope.fields}
    size = 0
    for index, name in enumerate(paging.key):
        if name not in fields:
            file.add(f"paging.key[{index}]", f"names {name}, which the response does not have", "a field")
        else:
            size += fields[name].max_bytes + 3
    if size > MAX_KEY_BYTES:
        file.add("paging.key", "is too long for next_page", f"fields with lengths, at most {MAX_KEY_BYTES} bytes")
    entry = answer.get(paging.list)
    group = scope.groups.get(paging.list if entry is None else entry.rows or "")
    if group is not None and group.maximum and paging.rows > group.maximum:
        file.add("paging.rows", "is more than the list can have", f"at most {group.maximum}")
    _check_ends(paging, scope, file)
    if "next_page" not in parameters:
        file.add("paging", "is set, but the API has no pages", "no paging")


def _check_ends(paging: ListPaging, scope: Scope, file: FileProblems) -> None:
    """Adds what is wrong with the values that tell whether a list goes on."""
    for key, conditions in (("more", paging.more), ("last", paging.last)):
        for name, codes in conditions.items():
            place = f"paging.{key}.{name}"
            if name not in scope.fields:
                file.add(place, "is no field of the response", "a field outside of lists")
                continue
            try:
                check_codes(place, scope.fields[name], codes)
            except LayoutError as error:
                file.problems.append(error)
    both = [set(codes) & set(paging.more[name]) for name, codes in paging.last.items() if name in paging.more]
    if both and all(both):
        file.add("paging.last", "has a value of more: the list would both go on and end", "other values than more")
    if paging.last and not paging.more:
        file.add("paging.last", "is set, but more is missing", "the values of a list that continues, as more")
