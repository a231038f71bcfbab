"""The core itself: a plain function of an HTTP request. `server` transports the bytes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from mydata_sandbox.json_core import views
from mydata_sandbox.world.ci import CUSTOMER_BY_CI
from mydata_sandbox.world.model import ApiError, Customer, DataHandler, DataRequest
from relay.domain.api import Catalogue
from relay.domain.korea import KOREA

BASE: Final = "/core/v2"
INDUSTRY: Final = "insu"
OK, NO_CUSTOMER, BROKEN = "OK", "E1002", "E9999"
CODES: Final = {"40402": ("E1001", 404), "40001": ("E1003", 400)}
"""The core's response code and HTTP status of each rsp_code of the standard; all others are `BROKEN` and 500."""


@dataclass(frozen=True, slots=True)
class CoreRequest:
    """A request: decoded path, query, headers by lower-case name, and the JSON body."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CoreResponse:
    """HTTP status and JSON body."""

    status: int
    body: Mapping[str, Any]


class JsonCore:
    """The core of an insurer, with the policies of the world. `today` returns the last day with data."""

    def __init__(self, catalogue: Catalogue, handlers: Mapping[str, DataHandler], today: Callable[[], date]) -> None:
        self._catalogue = catalogue
        self._handlers = handlers
        self._today = today
        self._routes = (
            ("GET", r"/policies", self._list_policies),
            ("GET", r"/policies/([^/]+)", self._get(views.get_policy, "보험-002", "insu_num")),
            ("POST", r"/riders/search", self._list_riders),
            ("GET", r"/policies/([^/]+)/vehicles", self._get(views.list_vehicles, "보험-004", "insu_num")),
            ("GET", r"/policies/([^/]+)/premium", self._get(views.get_premium, "보험-005", "insu_num")),
            ("GET", r"/policies/([^/]+)/payments", self._list_payments),
            ("POST", r"/vehicles/payments/search", self._list_car_payments),
            ("GET", r"/policies/([^/]+)/coverages", self._get(views.list_coverages, "보험-012", "insu_num")),
            ("GET", r"/loans", self._list_loans),
            ("GET", r"/loans/([^/]+)", self._get(views.get_loan, "보험-009", "account_num")),
            ("GET", r"/loans/([^/]+)/balance", self._get(views.get_balance, "보험-010", "account_num")),
            ("POST", r"/loans/history", self._list_history),
        )

    def respond(self, request: CoreRequest) -> CoreResponse:
        """Returns the response to a request. Errors of the caller are responses, too."""
        number = request.headers.get("x-request-no", "")
        customer = CUSTOMER_BY_CI.get(request.headers.get("x-customer-ci", ""))
        if customer is None:
            return self._build(404, NO_CUSTOMER, number)
        for method, pattern, answer in self._routes:
            match = re.fullmatch(BASE + pattern, request.path)
            if method == request.method and match is not None:
                try:
                    return self._build(200, OK, number, answer(customer, request, *match.groups()))
                except ApiError as error:
                    code, status = CODES.get(error.rsp_code, (BROKEN, 500))
                    return self._build(status, code, number)
        return self._build(404, BROKEN, number)

    @staticmethod
    def _build(status: int, code: str, number: str, data: Mapping[str, Any] | None = None) -> CoreResponse:
        result = {"code": code, "message": "정상" if code == OK else "오류", "requestNo": number}
        return CoreResponse(status, {"result": result, "data": data})

    def _ask(self, customer: Customer, api_id: str, **params: str) -> dict[str, Any]:
        """Returns the values of the world. Raises ApiError."""
        request = DataRequest(self._catalogue.apis[api_id], INDUSTRY, customer, params, self._today())
        return self._handlers[api_id](request)

    def _get(
        self, view: Callable[[Mapping[str, Any], str], dict[str, Any]], api_id: str, name: str
    ) -> Callable[..., dict[str, Any]]:
        """Returns the answer of an API about one policy or loan, whose number is in the path."""

        def answer(customer: Customer, request: CoreRequest, number: str) -> dict[str, Any]:
            del request
            return view(self._ask(customer, api_id, **{name: number}), number)

        return answer

    def _list_policies(self, customer: Customer, request: CoreRequest) -> dict[str, Any]:
        rows = views.list_policies(self._ask(customer, "보험-001")["insu_list"])
        page, size = int(request.query["page"]), int(request.query["size"])
        return {"page": {"totalElements": len(rows)}, "items": rows[(page - 1) * size : page * size]}

    def _list_loans(self, customer: Customer, request: CoreRequest) -> dict[str, Any]:
        rows = views.list_loans(self._ask(customer, "보험-008")["loan_list"])
        page, size = int(request.query["page"]), int(request.query["size"])
        return {"page": {"totalPages": -(-len(rows) // size)}, "items": rows[(page - 1) * size : page * size]}

    def _list_riders(self, customer: Customer, request: CoreRequest) -> dict[str, Any]:
        number = request.body["policyNo"]
        person = str(request.body["person"]["seq"])
        return views.list_riders(self._ask(customer, "보험-003", insu_num=number, insured_no=person), number)

    def _list_payments(self, customer: Customer, request: CoreRequest, number: str) -> dict[str, Any]:
        query = request.query
        period = {"from_date": query["from"].replace("-", ""), "to_date": query["to"].replace("-", "")}
        rows = views.list_payments(self._ask(customer, "보험-006", insu_num=number, **period)["trans_list"])
        start, stop = int(query["offset"]), int(query["offset"]) + int(query["limit"])
        return {"policyNo": number, "hasMore": stop < len(rows), "payments": rows[start:stop]}

    def _list_car_payments(self, customer: Customer, request: CoreRequest) -> dict[str, Any]:
        body = request.body
        number, car = body["policyNo"], body["plateNo"]
        period = {f"{name}_date": body["period"][name].replace("-", "") for name in ("from", "to")}
        values = self._ask(customer, "보험-007", insu_num=number, car_number=car, **period)
        rows = views.list_car_payments(values["trans_list"])
        start = int(body.get("cursor") or 0)
        stop = start + int(body["size"])
        cursor = f"{stop:08}" if stop < len(rows) else None
        return {"policyNo": number, "plateNo": car, "nextCursor": cursor, "payments": rows[start:stop]}

    def _list_history(self, customer: Customer, request: CoreRequest) -> dict[str, Any]:
        body = request.body
        number = body["loanNo"]
        period = {
            f"{name}_date": f"{datetime.fromtimestamp(body['period'][name] / 1000, KOREA):%Y%m%d}"
            for name in ("from", "to")
        }
        rows = views.list_history(self._ask(customer, "보험-011", account_num=number, **period)["trans_list"])
        numbers = [row["no"] for row in rows]
        start = numbers.index(body["after"]) + 1 if body.get("after") in numbers else 0
        stop = start + int(body["size"])
        return {"loanNo": number, "more": stop < len(rows), "history": rows[start:stop]}
