"""`mydata-sandbox authorize`: individual authentication (개별인증) step by step, with curl."""

import asyncio
import secrets
import shlex
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import aiohttp
import click

from mydata_sandbox.commands.operator_options import load_access, operator_options
from mydata_sandbox.commands.run_output import find_program
from mydata_sandbox.commands.shell_steps import (
    Step,
    assign,
    build_curl,
    build_form,
    build_token_step,
    iter_steps_with_tokens,
    print_steps,
    run_steps,
)
from mydata_sandbox.customer.browser_client import BrowserClient, PageFlowError, trust_only
from mydata_sandbox.environment.operator_access import OperatorAccess
from mydata_sandbox.institution.login import LOGINS, Login
from mydata_sandbox.parties import APP_SCHEME
from mydata_sandbox.world.ci import get_ci

EXAMPLES: Final = """\b
Examples:
  mydata-sandbox authorize                    (print the curl lines)
  mydata-sandbox authorize --run              (run them)
  mydata-sandbox authorize --org-code ZCDA000001 --customer 2 --run --json
"""


@click.command(epilog=EXAMPLES)
@operator_options
@click.option("--customer-consents", "page", metavar="URL", help="Only play the customer at this page. Print the code.")
def command(
    *, folder: Path, org_code: str | None, client_id: str, customer: int, is_run: bool, as_json: bool, page: str | None
) -> None:
    """Get a token by individual authentication (개별인증), step by step.

    Prints curl lines that work when they are pasted into a shell, for the sandbox that runs in the folder. With --run
    it runs these lines. The steps: login page, the customer's consent, code, tokens, a call, refresh, revocation.
    """
    access, login = load_access(folder, org_code, client_id, is_individual=True), LOGINS[customer - 1]
    if page is not None:
        click.echo(_consent(access, login, page))
        return
    steps = build_steps(access, login, folder)
    (run_steps if is_run else print_steps)(steps, as_json=as_json)


def build_steps(access: OperatorAccess, login: Login, folder: Path) -> list[Step]:
    """Returns the steps of individual authentication."""
    parameters = {
        "org_code": access.org_code,
        "response_type": "code",
        "client_id": access.client_id,
        "redirect_uri": access.callback,
        "app_scheme": APP_SCHEME,
        "state": secrets.token_hex(16),
    }
    options = ["-G", "-o /dev/null", "-w '%{redirect_url}'", f"-H 'x-user-ci: {get_ci(login.customer)}'"]
    authorize = build_curl(access, f"{access.gateway}/oauth/2.0/authorize", *options, *build_form(parameters))
    play = [*find_program(), "authorize", "--dir", str(folder.resolve()), "--org-code", access.org_code]
    play += ["--customer", str(LOGINS.index(login) + 1), "--customer-consents"]
    return [
        Step(
            "authorize",
            "고객의 로그인 페이지 주소를 받습니다 (개별인증-001).",
            "Gets the URL of the customer's login page.",
            assign("LOCATION", authorize),
        ),
        Step(
            "consent",
            f"그 주소를 브라우저에서 열고 아이디 {login.login_id}, 비밀번호 {login.password}를 넣은 뒤 동의합니다. "
            "아래 명령은 고객을 대신합니다.",
            f"Open it in a browser, log in as {login.login_id} / {login.password}. This line plays the customer.",
            assign("CODE", f'{shlex.join(play)} "$LOCATION"'),
        ),
        build_token_step(
            access,
            "token",
            "인가코드를 토큰으로 교환합니다 (개별인증-002). 인가코드는 한 번만 쓸 수 있습니다.",
            "Exchanges the code for tokens. A code is valid once.",
            {"grant_type": "authorization_code", "code": "$CODE", "redirect_uri": access.callback},
        ),
        *iter_steps_with_tokens(access),
    ]


def _consent(access: OperatorAccess, login: Login, page: str) -> str:
    """Logs in at the page, consents to everything and returns the code. Raises ClickException."""
    try:
        url = asyncio.run(_consent_in_browser(access, login, page))
    except (PageFlowError, aiohttp.ClientError, ValueError, TimeoutError) as error:
        raise click.ClickException(f"the login page {page} gave no code: {error}") from error
    query = parse_qs(urlsplit(url).query)
    if "code" not in query:
        raise click.ClickException(f"the callback got no code: {', '.join(query.get('error', ['no error either']))}")
    return query["code"][0]


async def _consent_in_browser(access: OperatorAccess, login: Login, page: str) -> str:
    async with BrowserClient(trust_only(access.ca), login.login_id, login.password) as browser:
        return await browser.consent(page)
