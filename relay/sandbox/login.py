"""The login that every pretended institution offers to the relay (docs/reference/individual-authentication.md)."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from relay.sandbox.customers import ci_of
from relay.sandbox.world.model import CUSTOMERS, ApiError, Customer

PATH: Final = "/relay/login"


@dataclass(frozen=True, slots=True)
class Login:
    """How a pretended customer logs in, the same in every house of the street."""

    login_id: str
    password: str = field(repr=False)
    customer: Customer


LOGINS: Final = tuple(
    Login(login_id, password, customer)
    for (login_id, password), customer in zip(
        (("garam", "garam-1985"), ("narae", "narae-1992"), ("daon", "daon-1971")), CUSTOMERS, strict=True
    )
)
"""Nobody real: they open nothing but this street."""


def logged_in(org_code: str, params: Mapping[str, str]) -> dict[str, Any]:
    """The answer to a login: the CI of the customer. Raises ApiError, 401 for whoever is not known here."""
    if params.get("org_code") != org_code:
        raise ApiError(403, "40303", "기관코드가 올바르지 않습니다")
    shown = params.get("password", "").encode()
    known = next((login for login in LOGINS if login.login_id == params.get("login_id")), None)
    if known is None or not hmac.compare_digest(known.password.encode(), shown):
        raise ApiError(401, "40101", "아이디 또는 비밀번호가 올바르지 않습니다")
    return {"rsp_code": "00000", "rsp_msg": "성공", "user_ci": ci_of(known.customer)}
