"""The rules for what an institution answers to wrong calls, to pages and periods, and to limited consents."""

from typing import Final

from relay.policy.answers.rules import Rule
from relay.policy.conformance.rule import Group, RuleTable, build_table

_NO_REMARKS: Final[frozenset[str]] = frozenset()

ERROR_RULES: Final[RuleTable] = build_table(
    Group.ERRORS,
    (
        "unknown_customer", "규격 첨부1 (40403)",
        "고객이 아닌 CI에는 404와 40403으로 응답합니다.",
        "A CI that is no customer's is answered with 404 and 40403.",
        "x-user-ci로 고객을 찾고, 없으면 40403으로 응답하십시오.",
        "Look the customer up by x-user-ci; answer 40403 if there is none.",
    ),
    (
        "customer_header", "안내",
        "x-user-ci가 없는 요청에는 정보를 보내지 않습니다 (40002 또는 40403).",
        "A call without x-user-ci gets no data (40002 or 40403).",
        "x-user-ci가 없을 때 기본 고객을 쓰지 마십시오.",
        "Never use a default customer if x-user-ci is missing.",
    ),
    (
        "unknown_asset", "규격 첨부1 (40402)",
        "없는 자산에는 404와 40402로 응답합니다.",
        "An asset that does not exist is answered with 404 and 40402.",
        "요청한 자산이 없으면 빈 목록이 아니라 40402로 응답하십시오.",
        "Answer 40402 for an unknown asset, not an empty list.",
    ),
    (
        "foreign_asset", "규격 첨부1 (40402)",
        "다른 고객의 자산에는 404와 40402로 응답합니다.",
        "An asset of another customer is answered with 404 and 40402.",
        "자산이 x-user-ci 고객의 것인지 반드시 확인하십시오. 다른 고객의 정보가 나갑니다.",
        "Check that the asset belongs to the customer of x-user-ci: other customers' data are sent.",
    ),
    (
        "unknown_org", "규격 첨부1 (40303)",
        "다른 기관의 org_code에는 403과 40303으로 응답합니다.",
        "The org_code of another institution is answered with 403 and 40303.",
        "org_code를 자기 기관의 코드와 비교하십시오.",
        "Compare org_code with your own.",
    ),
    (
        "missing_parameter", "규격 첨부1 (40001)",
        "필수 파라미터가 없으면 400과 40001로 응답합니다.",
        "A missing required parameter is answered with 400 and 40001.",
        "필수 파라미터를 확인하십시오. 기본값을 쓰지 마십시오.",
        "Check required parameters; use no defaults for them.",
    ),
    (
        "malformed_parameter", "규격 첨부1 (40001)",
        "형식이 틀린 파라미터나 본문에는 400과 40001로 응답합니다.",
        "A parameter or body of a wrong form is answered with 400 and 40001.",
        "파라미터의 타입과 길이를 확인하십시오.",
        "Check types and lengths of parameters.",
    ),
    (
        "unknown_parameter", "안내",
        "규격에 없는 파라미터는 무시하거나 40001로 거절합니다.",
        "A parameter that the standard does not have is ignored, or refused with 40001.",
        "모르는 파라미터 때문에 오류가 나지 않게 하십시오.",
        "Do not fail because of a parameter that you do not know.",
    ),
    (
        "limit_range", "규격 2.3 (limit)",
        "limit은 1부터 500까지입니다. 0과 501에는 400과 40001로 응답합니다.",
        "limit is 1 to 500; 0 and 501 are answered with 400 and 40001.",
        "limit의 범위를 확인하십시오.",
        "Check the range of limit.",
    ),
    (
        "unknown_path", "규격 첨부1 (40401)",
        "없는 URI에는 404와 40401로 응답합니다.",
        "An unknown URI is answered with 404 and 40401.",
        "서버의 기본 404 페이지 대신 JSON으로 응답하십시오.",
        "Answer with JSON, not with the server's own 404 page.",
    ),
    (
        "wrong_method", "규격 첨부1 (40501)",
        "규격과 다른 HTTP 메소드에는 405와 40501로 응답합니다.",
        "Another HTTP method than the standard's is answered with 405 and 40501.",
        "API마다 규격의 GET 또는 POST만 허용하십시오.",
        "Allow only the standard's GET or POST of each API.",
    ),
    remarks=_NO_REMARKS,
)  # fmt: skip

PAGE_RULES: Final[RuleTable] = build_table(
    Group.PAGES,
    (
        Rule.LIMIT, "규격 2.3 (limit)",
        "한 페이지의 건수는 limit을 넘지 않습니다.",
        "A page has at most limit rows.",
        "limit보다 많으면 나누어 보내고 next_page를 넣으십시오.",
        "Split the rows, and send next_page.",
    ),
    (
        Rule.NEXT_PAGE, "규격 2.3 (next_page)",
        "응답의 next_page는 요청의 next_page와 다릅니다.",
        "The next_page of an answer is another than that of the request.",
        "다음 페이지의 위치를 보내십시오. 같은 값은 끝없는 반복이 됩니다.",
        "Send the position of the next page: the same value never ends.",
    ),
    (
        "pages_end", "규격 2.3 (next_page)",
        "페이지는 끝납니다. 마지막 페이지에는 next_page가 없습니다.",
        "Pages end: the last one has no next_page.",
        "남은 거래가 없으면 next_page를 빼십시오.",
        "Leave next_page out if there are no more rows.",
    ),
    (
        "pages_continue", "규격 2.3 (next_page)",
        "응답한 next_page를 그대로 받으면 다음 페이지를 보냅니다.",
        "A next_page that comes back unchanged is answered with the next page.",
        "next_page를 URL에 안전한 문자로 만들고, 받은 값을 그대로 해석하십시오.",
        "Build next_page of URL-safe characters, and accept it as you sent it.",
    ),
    (
        "pages_union", "규격 2.3 (next_page)",
        "작은 페이지를 모두 모으면 큰 페이지와 같습니다.",
        "Small pages together are the large page.",
        "페이지 경계에서 거래가 빠지거나 겹치지 않게 하십시오.",
        "Lose and repeat no row at the border of two pages.",
    ),
    (
        "page_repeat", "규격 2.3 (next_page)",
        "같은 요청을 반복하면 같은 페이지를 보냅니다.",
        "The same request again gets the same page.",
        "next_page를 한 번 쓰고 버리지 마십시오.",
        "Do not discard a next_page after its first use.",
    ),
    (
        "cursor_unknown", "규격 첨부1 (40001)",
        "모르는 next_page에는 400과 40001로 응답합니다.",
        "An unknown next_page is answered with 400 and 40001.",
        "next_page를 해석할 수 없으면 첫 페이지를 보내지 말고 40001로 응답하십시오.",
        "Answer 40001 if you cannot read next_page; do not send the first page.",
    ),
    (
        "timestamp", "규격 2.3 (search_timestamp)",
        "search_timestamp가 0이면 모두 보내고, 받은 값이면 00000 또는 00001로 응답합니다.",
        "search_timestamp 0 gets all rows; a value of yours gets 00000 or 00001.",
        "기능이 없으면 search_timestamp를 빼거나 0으로 보내십시오.",
        "Without this feature, leave search_timestamp out or send 0.",
    ),
    (
        "timestamp_page", "규격 2.3 (search_timestamp)",
        "다음 페이지의 응답에는 search_timestamp가 없습니다.",
        "A later page has no search_timestamp.",
        "search_timestamp는 첫 페이지에만 보내십시오.",
        "Send search_timestamp in the first page only.",
    ),
    (
        Rule.PERIOD, "규격 3.3.2",
        "모든 거래가 요청한 기간 안에 있습니다.",
        "All rows are within the period that was asked for.",
        "시작일과 종료일을 모두 조회 조건에 쓰십시오. 두 날을 포함합니다.",
        "Use both days in the query; both are included.",
    ),
    (
        "period_rows", "규격 3.3.2",
        "짧은 기간의 거래는 긴 기간에서 그 날짜의 거래와 같습니다.",
        "A short period has the rows that a longer one has on these days.",
        "기간의 첫날과 마지막 날을 포함하십시오. 시간대는 한국 시간입니다.",
        "Include the first and the last day; days are those of Korea.",
    ),
    remarks=_NO_REMARKS,
)  # fmt: skip

CONSENT_RULES: Final[RuleTable] = build_table(
    Group.CONSENT,
    (
        "withheld", "규격 6.2",
        "x-consent-withheld의 항목을 보내지 않습니다.",
        "The fields in x-consent-withheld are left out.",
        "그 항목을 빼거나, 설정에 withholding: relay를 적으십시오.",
        "Leave them out, or set withholding: relay in the settings.",
    ),
    remarks=_NO_REMARKS,
)  # fmt: skip
