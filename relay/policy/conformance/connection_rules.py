"""The rules for TLS, connections, status and headers."""

from typing import Final

from relay.policy.conformance.rule import Group, RuleTable, build_table

_NO_REMARKS: Final[frozenset[str]] = frozenset()

TLS_RULES: Final[RuleTable] = build_table(
    Group.TLS,
    (
        "tls_version", "규격 3.1",
        "TLS 1.2 이상만 사용합니다. TLS 1.3을 권고합니다.",
        "The server speaks TLS 1.2 or later only; TLS 1.3 is recommended.",
        "서버 설정에서 TLS 1.0과 1.1을 끄고 TLS 1.2와 1.3을 켜십시오.",
        "Turn TLS 1.0 and 1.1 off and TLS 1.2 and 1.3 on.",
    ),
    (
        "tls_certificate", "규격 3.1",
        "서버 인증서는 유효기간 안에 있고, 호스트 이름이 맞으며, 등록된 CA가 발급했습니다.",
        "The server certificate is valid now, for the host name, and issued by the CA in the settings.",
        "인증서를 갱신하고 중간 인증서까지 함께 보내십시오. 중계기관 설정의 ca도 확인하십시오.",
        "Renew the certificate and send it with its intermediate certificates; check `ca` in the settings.",
    ),
    (
        "tls_client_certificate", "규격 3.1",
        "중계기관의 클라이언트 인증서가 없는 연결은 거절합니다.",
        "The server refuses a connection without the client certificate of the relay.",
        "서버가 클라이언트 인증서를 요구하고 검증하도록 설정하십시오.",
        "Let the server require and verify a client certificate.",
    ),
    remarks=_NO_REMARKS,
)  # fmt: skip

CONNECTION_RULES: Final[RuleTable] = build_table(
    Group.CONNECTION,
    (
        "time_connect", "안내 (timeouts.connect_s)",
        "연결은 connect_s 안에 수락합니다.",
        "A connection is accepted within connect_s.",
        "서버의 접속 대기열과 방화벽을 확인하십시오.",
        "Check the accept queue of the server and the firewall.",
    ),
    (
        "time_first_byte", "안내 (timeouts.first_byte_s)",
        "응답의 첫 바이트는 first_byte_s 안에 보냅니다.",
        "The first byte of a response comes within first_byte_s.",
        "이 API의 조회를 빠르게 하거나 한 페이지의 건수를 줄이십시오.",
        "Make this API faster, or return fewer rows in a page.",
    ),
    (
        "time_total", "안내 (timeouts.total_s)",
        "응답은 total_s 안에 끝까지 보냅니다.",
        "A response is complete within total_s.",
        "이 API의 조회를 빠르게 하거나 한 페이지의 건수를 줄이십시오.",
        "Make this API faster, or return fewer rows in a page.",
    ),
    (
        "framing", "RFC 9112",
        "응답은 HTTP/1.1 형식이며, Content-Length 또는 chunked로 표시한 길이가 실제 길이와 같습니다.",
        "A response is valid HTTP/1.1; its Content-Length or chunks are those of its body.",
        "Content-Length는 문자가 아니라 바이트로 계산하고, 헤더를 두 번 쓰지 마십시오.",
        "Compute Content-Length in bytes, not characters, and send no header twice.",
    ),
    (
        "keep_alive", "RFC 9112 9.3, 안내",
        "한 연결에서 여러 요청을 차례로 처리하며, 응답한 뒤 연결을 닫지 않습니다.",
        "A connection carries many calls one after another; it stays open after a response.",
        "서버와 앞단 장비에서 HTTP keep-alive를 켜고 Connection: close를 보내지 마십시오.",
        "Turn keep-alive on in the server and what is before it; do not send Connection: close.",
    ),
    (
        "idle", "안내 (timeouts.idle_s)",
        "쉬는 연결을 idle_s보다 오래 열어 둡니다.",
        "An idle connection stays open longer than idle_s.",
        "서버의 keep-alive 시간을 늘리거나 설정의 timeouts.idle_s를 줄이십시오.",
        "Raise the keep-alive time of the server, or lower timeouts.idle_s in the settings.",
    ),
    (
        "slow_request", "RFC 9112",
        "나뉘어 천천히 도착한 요청도 바르게 처리합니다.",
        "A request that arrives slowly and in pieces is answered rightly.",
        "요청을 한 번에 읽지 말고, 헤더의 끝과 Content-Length까지 읽으십시오.",
        "Read a request up to the end of its head and its Content-Length, not in one piece.",
    ),
    (
        "cut_request", "RFC 9112",
        "요청이 중간에 끊겨도 다음 연결을 바르게 처리합니다.",
        "After a request that was cut, the server answers the next connection.",
        "끊긴 연결은 바로 닫고 그 처리 자원을 돌려주십시오.",
        "Close a cut connection at once and free what it used.",
    ),
    (
        "parallel", "규격 2.3, 안내 (concurrency)",
        "동시에 받은 요청마다 그 요청의 응답을 보냅니다. 고객과 거래가 섞이지 않습니다.",
        "Calls at the same time get each its own answer; customers and calls are never mixed.",
        "요청 사이에 공유하는 변수를 없애십시오. 다른 고객의 정보가 나갈 수 있는 오류입니다.",
        "Remove variables that requests share: another customer's data could be sent.",
    ),
    remarks=_NO_REMARKS,
)  # fmt: skip

HEADER_RULES: Final[RuleTable] = build_table(
    Group.HEADERS,
    (
        "status", "규격 첨부1",
        "HTTP 상태는 200, 400, 401, 403, 404, 405, 429, 500 중 하나입니다.",
        "The HTTP status is 200, 400, 401, 403, 404, 405, 429 or 500.",
        "리다이렉트, 204, 502, 503을 보내지 말고 첨부1의 응답코드로 바꾸십시오.",
        "Send no redirect, 204, 502 or 503; use the response codes of annex 1.",
    ),
    (
        "content_type", "규격 2.3",
        "Content-Type은 application/json; charset=UTF-8입니다.",
        "The Content-Type is application/json; charset=UTF-8.",
        "오류일 때도 HTML이 아니라 rsp_code가 있는 JSON으로 응답하십시오.",
        "Answer errors, too, with JSON that has an rsp_code, never with HTML.",
    ),
    (
        "tran_id", "규격 첨부14",
        "요청의 x-api-tran-id를 응답 헤더에 그대로 보냅니다.",
        "The response has the x-api-tran-id of the request, unchanged.",
        "오류 응답에도 요청의 값을 대소문자까지 그대로 복사하십시오.",
        "Copy the value of the request unchanged, in error answers, too.",
    ),
    (
        "coding_unasked", "RFC 9110 12.5.3",
        "Accept-Encoding이 허용한 압축만 사용합니다. 없으면 압축하지 않습니다.",
        "Only a content coding of Accept-Encoding is used, none without that header.",
        "요청에 Accept-Encoding이 없으면 압축하지 마십시오.",
        "Do not compress if the request has no Accept-Encoding.",
    ),
    remarks=_NO_REMARKS,
)  # fmt: skip
