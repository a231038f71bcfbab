"""Bodies of the portal's lists (지원-002, 지원-003), and what the registry holds before."""

import pytest

from relay.domain.registry import RegisteredService, Registry
from relay.policy.registry.rows import InvalidBody

SINCE, NOW = "20240101000000", "20240102000000"


def orgs(*rows, **changed):
    """Returns a body of 지원-002 or 지원-003."""
    return {
        "rsp_code": "00000",
        "rsp_msg": "성공",
        "search_timestamp": NOW,
        "org_cnt": str(len(rows)),
        "org_list": list(rows),
    } | changed


def registered(client_id="client1", operator="OPER000001", **changed):
    given = {"name": "가상 서비스", "secret_hash": "h", "callbacks": ("https://operator.example/callback",)}
    return RegisteredService(client_id, operator, **(given | {"app_schemes": ("operator://back",)} | changed))


def known(*organisations, services=()):
    return Registry({item.org_code: item for item in organisations}, {item.client_id: item for item in services}, 7)


def read_problems(read, *arguments):
    """Returns the problems of a body that `read` refuses."""
    with pytest.raises(InvalidBody) as caught:
        read(*arguments)
    return list(caught.value.problems)
