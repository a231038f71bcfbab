"""UCPID, identity confirmation by certificate (본인확인 서비스): the ASN.1 of its messages, in DER.

The public text of the standard leaves these structures open. PersonInfoReq is read from a public sample; the others are
our reading of what public toolkits put in and take out; docs/reference/integrated-authentication.md says which is which.
"""

from typing import Any, ClassVar, Final

from asn1crypto import cms, core, x509

VERSION: Final = 2
OK: Final = 0
"""`status` of a UCPIDResponse that confirms."""

Field = tuple[Any, ...]


class Information(core.BitString):
    """What of a person a customer agrees to tell: bit 0 real name to bit 4 CI."""

    _map: ClassVar[dict[int, str]] = {0: "real_name", 1: "gender", 2: "national_info", 3: "birth_date", 4: "ci"}


class Agreement(core.Sequence):
    """The text the customer agreed to, and what may be told."""

    _fields: ClassVar[list[Field]] = [("text", core.UTF8String), ("information", Information)]


class ModuleVersion(core.Sequence):
    """The signing module's version."""

    _fields: ClassVar[list[Field]] = [
        ("major", core.Integer),
        ("minor", core.Integer),
        ("build", core.Integer, {"explicit": 0, "optional": True}),
        ("revision", core.Integer, {"explicit": 1, "optional": True}),
    ]


class Module(core.Sequence):
    """The module that signed: its name, who made it, its version."""

    _fields: ClassVar[list[Field]] = [
        ("name", core.UTF8String),
        ("vendor", core.UTF8String),
        ("version", ModuleVersion),
    ]


class PersonInfoReq(core.Sequence):
    """본인확인 이용 동의: what the customer signs in `signed_person_info_req`; its nonce is `ucpid_nonce`."""

    _fields: ClassVar[list[Field]] = [
        ("version", core.Integer),
        ("nonce", core.OctetString),
        ("agreement", Agreement),
        ("module", Module),
        ("isp_url", core.UTF8String),
    ]


class IspReqInfo(core.Sequence):
    """What we ask and sign: our own nonce, the tx_id as cpRequestNumber, the certificate the answer is sealed for."""

    _fields: ClassVar[list[Field]] = [
        ("version", core.Integer),
        ("nonce", core.OctetString),
        ("cp_request_number", core.UTF8String),
        ("sealed_for", x509.Certificate),
        ("signed_person_info_req", cms.ContentInfo),
    ]


class UcpidRequest(core.Sequence):
    """UCPIDRequest. `issuer_key_hash` tells who issued the customer's certificate; `request` is signed IspReqInfo."""

    _fields: ClassVar[list[Field]] = [
        ("version", core.Integer),
        ("issuer_key_hash", core.OctetString),
        ("cp_code", core.UTF8String),
        ("request", cms.ContentInfo),
    ]


class StatusTexts(core.SequenceOf):
    """Free text beside a status."""

    _child_spec = core.UTF8String


class Status(core.Sequence):
    """OK or the certifier's reason."""

    _fields: ClassVar[list[Field]] = [("code", core.Integer), ("texts", StatusTexts, {"optional": True})]


class UcpidResponse(core.Sequence):
    """UCPIDResponse. `person` is EnvelopedData for us; in it SignedData of PersonInfo by the certifier."""

    _fields: ClassVar[list[Field]] = [
        ("version", core.Integer),
        ("issuer_key_hash", core.OctetString),
        ("status", Status),
        ("person", cms.ContentInfo, {"explicit": 0, "optional": True}),
    ]


class PersonInfo(core.Sequence):
    """Whom the certifier knows. `ci_update` odd: `ci` is the valid one; even: `ci2`."""

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
