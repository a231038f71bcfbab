"""ASN.1 structures (DER) of UCPID, identity confirmation by certificate (본인확인 서비스).

The public text of the standard does not define them. PersonInfoReq follows a public sample; the others follow inputs
and outputs of public toolkits; docs/reference/integrated-authentication.md lists the sources.
"""

from typing import Any, ClassVar, Final

from asn1crypto import cms, core, x509

VERSION: Final = 2
OK: Final = 0
"""`status` of a UCPIDResponse that confirms the identity."""

Field = tuple[Any, ...]


class Information(core.BitString):
    """Personal data that the customer agrees to disclose: bit 0 real name to bit 4 CI."""

    _map: ClassVar[dict[int, str]] = {0: "real_name", 1: "gender", 2: "national_info", 3: "birth_date", 4: "ci"}


class Agreement(core.Sequence):
    """The text that the customer agreed to, and the data that may be disclosed."""

    _fields: ClassVar[list[Field]] = [("text", core.UTF8String), ("information", Information)]


class ModuleVersion(core.Sequence):
    """Version of the signing module."""

    _fields: ClassVar[list[Field]] = [
        ("major", core.Integer),
        ("minor", core.Integer),
        ("build", core.Integer, {"explicit": 0, "optional": True}),
        ("revision", core.Integer, {"explicit": 1, "optional": True}),
    ]


class Module(core.Sequence):
    """The signing module: name, vendor, version."""

    _fields: ClassVar[list[Field]] = [
        ("name", core.UTF8String),
        ("vendor", core.UTF8String),
        ("version", ModuleVersion),
    ]


class PersonInfoReq(core.Sequence):
    """본인확인 이용 동의, signed by the customer in `signed_person_info_req`; its nonce is `ucpid_nonce`."""

    _fields: ClassVar[list[Field]] = [
        ("version", core.Integer),
        ("nonce", core.OctetString),
        ("agreement", Agreement),
        ("module", Module),
        ("isp_url", core.UTF8String),
    ]


class IspReqInfo(core.Sequence):
    """The relay's signed request: nonce, tx_id as cpRequestNumber, the certificate to encrypt the response for."""

    _fields: ClassVar[list[Field]] = [
        ("version", core.Integer),
        ("nonce", core.OctetString),
        ("cp_request_number", core.UTF8String),
        ("sealed_for", x509.Certificate),
        ("signed_person_info_req", cms.ContentInfo),
    ]


class UcpidRequest(core.Sequence):
    """UCPIDRequest. `issuer_key_hash` is the hash of the customer's issuer key; `request` is signed IspReqInfo."""

    _fields: ClassVar[list[Field]] = [
        ("version", core.Integer),
        ("issuer_key_hash", core.OctetString),
        ("cp_code", core.UTF8String),
        ("request", cms.ContentInfo),
    ]


class StatusTexts(core.SequenceOf):
    """Free texts of a status."""

    _child_spec = core.UTF8String


class Status(core.Sequence):
    """OK or the certifier's reason."""

    _fields: ClassVar[list[Field]] = [("code", core.Integer), ("texts", StatusTexts, {"optional": True})]


class UcpidResponse(core.Sequence):
    """UCPIDResponse. `person` is EnvelopedData for the relay; it contains SignedData of PersonInfo by the certifier."""

    _fields: ClassVar[list[Field]] = [
        ("version", core.Integer),
        ("issuer_key_hash", core.OctetString),
        ("status", Status),
        ("person", cms.ContentInfo, {"explicit": 0, "optional": True}),
    ]


class PersonInfo(core.Sequence):
    """The person known to the certifier. `ci` is valid when `ci_update` is odd, `ci2` when it is even."""

    _fields: ClassVar[list[Field]] = [
        ("version", core.Integer),
        ("nonce", core.OctetString),
        ("cp_request_number", core.UTF8String),
        ("cert_dn", x509.Name),
        ("cp_code", core.UTF8String),
        ("di", core.UTF8String, {"explicit": 0, "optional": True}),
        ("real_name", core.UTF8String, {"explicit": 1, "optional": True}),
        ("gender", core.Integer, {"explicit": 2, "optional": True}),
        ("national_info", core.Integer, {"explicit": 3, "optional": True}),
        ("birth_date", core.UTF8String, {"explicit": 4, "optional": True}),
        ("ci_update", core.Integer),
        ("ci", core.UTF8String),
        ("ci2", core.UTF8String, {"explicit": 5, "optional": True}),
    ]
