"""Steps of a call sequence as shell lines: printed to be pasted into a shell, or run by bash."""

import json
import secrets
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from mydata_sandbox.environment.operator_access import OperatorAccess

TIMEOUT_S: Final = 120
FIELD_FUNCTION: Final = """\
field() { python3 -c 'import functools, json, sys
read = lambda value, name: value[int(name) if name.isdigit() else name]
print(functools.reduce(read, sys.argv[1].split("."), json.load(sys.stdin)))' "$1"; }"""
"""A shell function: prints one field of the JSON on its standard input."""

_MARK: Final = "\x1e"
"""Separates the outputs of steps (ASCII record separator)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it does in Korean and English, and its shell lines."""

    name: str
    korean: str
    english: str
    command: str

    def row(self) -> dict[str, Any]:
        """Returns the step as JSON."""
        return {"name": self.name, "ko": self.korean, "en": self.english, "command": self.command}


class StepFailed(click.ClickException):
    """A step ended with an error. The message has its output."""


def build_curl(access: OperatorAccess, url: str, *options: str) -> str:
    """Returns a curl command with the operator's certificate and a new x-api-tran-id. `options` are shell text."""
    tran_id = f"{access.operator}M{secrets.token_hex(7).upper()}"
    files = [
        f"--cacert {shlex.quote(str(access.ca))}",
        f"--cert {shlex.quote(str(access.identity.certificate))}",
        f"--key {shlex.quote(str(access.identity.private_key))}",
    ]
    lines = ["curl -sS --fail-with-body", *files, f"-H 'x-api-tran-id: {tran_id}'", *options, shlex.quote(url)]
    return " \\\n  ".join(lines)


def assign(name: str, command: str) -> str:
    """Returns shell lines that store the output of a command in a variable and print it."""
    return f'{name}=$({command}) && echo "${name}"'


def build_form(fields: Mapping[str, str]) -> list[str]:
    """Returns curl's options for a form. A value with `$` is a shell variable."""
    return [f"--data-urlencode {_quote(f'{name}={value}')}" for name, value in fields.items()]


def build_token_step(access: OperatorAccess, name: str, korean: str, english: str, form: Mapping[str, str]) -> Step:
    """Returns a step that obtains both tokens into ACCESS_TOKEN and REFRESH_TOKEN."""
    credentials = {"org_code": access.org_code, "client_id": access.client_id, "client_secret": access.client_secret}
    curl = build_curl(access, f"{access.gateway}/oauth/2.0/token", *build_form({**form, **credentials}))
    command = f"""{assign("TOKENS", curl)}
ACCESS_TOKEN=$(echo "$TOKENS" | field access_token) && REFRESH_TOKEN=$(echo "$TOKENS" | field refresh_token)"""
    return Step(name, korean, english, command)


def iter_steps_with_tokens(access: OperatorAccess) -> Iterator[Step]:
    """Yields a data call, the refresh of the access token and its revocation."""
    credentials = {"org_code": access.org_code, "client_id": access.client_id, "client_secret": access.client_secret}
    token, revoke = f"{access.gateway}/oauth/2.0/token", f"{access.gateway}/oauth/2.0/revoke"
    refresh = {"grant_type": "refresh_token", "refresh_token": "$REFRESH_TOKEN", **credentials}
    yield Step(
        "call",
        "접근토큰으로 전송요구 내역을 조회합니다 (정보제공-공통-002).",
        "Calls an API with the access token: the customer's consent (공통-002).",
        build_curl(
            access,
            f"{access.gateway}/v1/{access.industry}/consents?org_code={access.org_code}",
            '-H "Authorization: Bearer $ACCESS_TOKEN"',
            "-H 'x-api-type: user-refresh'",
        ),
    )
    yield Step(
        "refresh",
        "접근토큰을 갱신합니다 (개별인증-003). 이전 접근토큰은 폐기됩니다.",
        "Refreshes the access token. The former one is revoked.",
        f"""{assign("TOKENS", build_curl(access, token, *build_form(refresh)))}
ACCESS_TOKEN=$(echo "$TOKENS" | field access_token)""",
    )
    yield Step(
        "revoke",
        "토큰을 폐기합니다 (개별인증-004). 전송요구도 함께 끝납니다.",
        "Revokes both tokens. The consent ends with them.",
        build_curl(access, revoke, *build_form({"token": "$ACCESS_TOKEN", **credentials})),
    )


def print_steps(steps: Sequence[Step], *, as_json: bool) -> None:
    """Prints steps to be pasted into a shell."""
    if as_json:
        click.echo(
            json.dumps(
                [{"name": "field", "command": FIELD_FUNCTION}, *(step.row() for step in steps)], ensure_ascii=False
            )
        )
        return
    click.echo(f"# JSON의 항목 하나를 출력하는 함수입니다. / Prints one field of JSON.\n{FIELD_FUNCTION}")
    for number, step in enumerate(steps, 1):
        click.echo(f"\n{_describe(number, step)}\n{step.command}")


def run_steps(steps: Sequence[Step], *, as_json: bool) -> None:
    """Runs the lines of all steps in one bash and prints each output when it is there. Raises StepFailed."""
    rows = []
    for number, (step, status, output) in enumerate(_run(steps), 1):
        if as_json:
            rows.append({**step.row(), "exit_code": status, "output": output})
        else:
            click.echo(f"{_describe(number, step)}\n{output}\n")
        if status:
            if as_json:
                click.echo(json.dumps(rows, ensure_ascii=False))
            raise StepFailed(f"step {step.name} failed: {output}")
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))


def _run(steps: Sequence[Step]) -> Iterator[tuple[Step, int, str]]:
    """Yields each step with exit code and output. The first one that fails is the last."""
    script = FIELD_FUNCTION + "".join(
        f"\n{{ {step.command}\n}} 2>&1\nstatus=$?; printf '{_MARK}%s{_MARK}' $status; [ $status = 0 ] || exit 1"
        for step in steps
    )
    command = ["bash", "-c", f"set -o pipefail\n{script}"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - own lines
        try:
            for step in steps:
                output, status = _read_part(process), _read_part(process)
                yield step, int(status or 1), output.strip()
                if status != "0":
                    return
        finally:
            process.terminate()


def _read_part(process: "subprocess.Popen[str]") -> str:
    """Returns the output up to the next mark, or to its end."""
    if process.stdout is None:
        return ""
    text = ""
    while (char := process.stdout.read(1)) not in {"", _MARK}:
        text += char
    return text


def _describe(number: int, step: Step) -> str:
    return f"# {number}. {step.korean}\n#    {step.english}"


def _quote(text: str) -> str:
    """Quotes a word of the shell. One with a variable gets double quotes: it has no other special characters."""
    return f'"{text}"' if "$" in text else shlex.quote(text)
