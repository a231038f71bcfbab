"""The login API of the simulated institutions (docs/reference/individual-authentication.md)."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.model import CUSTOMERS, ApiError, Customer

PATH: Final = "/relay/login"


@dataclass(frozen=True, slots=True)
class Login:
    """Credentials of a simulated customer, the same at all institutions of the sandbox."""

    login_id: str
    password: str = field(repr=False)
    customer: Customer


LOGINS: Final = tuple(
    Login(login_id, password, customer)
    for (login_id, password), customer in zip(
        (("garam", "garam-1985"), ("narae", "narae-1992"), ("daon", "daon-1971")), CUSTOMERS, strict=True
    )
)
"""Fictitious credentials, valid only in the sandbox."""


def log_in(org_code: str, params: Mapping[str, str]) -> dict[str, Any]:
    """Returns the response to a login, with the customer's CI. Raises ApiError, 401 for wrong credentials."""
    if params.get("org_code") != org_code:
        raise ApiError(403, "40303", "기관코드가 올바르지 않습니다")
    password = params.get("password", "").encode()
    login = next((entry for entry in LOGINS if entry.login_id == params.get("login_id")), None)
    if login is None or not hmac.compare_digest(login.password.encode(), password):
        raise ApiError(401, "40101", "아이디 또는 비밀번호가 올바르지 않습니다")
    return {"rsp_code": "00000", "rsp_msg": "성공", "user_ci": get_ci(login.customer)}
