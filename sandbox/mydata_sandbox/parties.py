"""The parties of a sandbox: codes and names of institutions, operators, certifiers, portal and relay."""

from typing import Final

LOOPBACK: Final = "127.0.0.1"
LOOPBACK_ADDRESSES: Final = (LOOPBACK, "::1")
RELAY_CODE: Final = "ZRLA000001"
RELAY_NAME: Final = "가상중계센터"
PORTAL_CODE: Final = "ZPTL000001"
PORTAL_NAME: Final = "가상종합포털"
IDENTITY_CERTIFIER: Final = "ZCAA000001"
"""기관코드 of the simulated 인증서 본인확인기관 (org_type 05)."""

SIGNATURE_CERTIFIER: Final = "ZCAA000002"
"""기관코드 of the simulated 전자서명인증사업자 (org_type 06)."""

CERTIFIER_NAMES: Final = {IDENTITY_CERTIFIER: "가상공동인증", SIGNATURE_CERTIFIER: "가상사설인증"}
INSTITUTIONS: Final = {
    "bank": ("ZBAA000001", "가온상호저축은행"),
    "card": ("ZCDA000001", "나루카드"),
    "invest": ("ZINA000001", "다솜투자증권"),
    "insu": ("ZISA000001", "라온생명손해보험"),
    "efin": ("ZEFA000001", "마루페이"),
    "capital": ("ZCPA000001", "바른길캐피탈"),
    "ginsu": ("ZGIA000001", "새벽보증보험"),
    "telecom": ("ZTEA000001", "아라텔레콤"),
    "p2p": ("ZPPA000001", "자람온라인투자"),
    "bond": ("ZBDA000001", "채움자산관리"),
    "usury": ("ZUSA000001", "한결대부"),
}
"""Code and name of the institution of each industry."""

OPERATORS: Final = (
    ("ZOPA000001", "모아보기마이데이터", (("ZOPA000001SVC01", "모아보기"), ("ZOPA000001SVC02", "모아보기 가계부"))),
    ("ZOPA000002", "한눈에마이데이터", (("ZOPA000002SVC01", "한눈에"),)),
)
"""Code, name and services (client_id, name) of each operator."""

APP_SCHEME: Final = "moabogi"
"""The app scheme of all services."""
