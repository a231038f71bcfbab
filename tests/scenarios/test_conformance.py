"""The conformance kit against the sandbox's institutions, right ones and spoilt ones, over real sockets."""

import ssl
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from fixtures.spoil_steps import FIRST, SECOND
from fixtures.spoils import SPOILS
from fixtures.spoilt_institution import NOTHING, ORG_CODE, build_institution
from fixtures.tcp_front import TcpFront, break_after_cut, read_in_one_piece
from mydata_sandbox.credentials.authority import LOOPBACK_NAMES

from relay.domain.ids import INDUSTRIES
from relay.domain.korea import KOREA
from relay.infra.conformance.run import run_conformance
from relay.infra.conformance.tls_trial import Contexts, build_old_context
from relay.infra.upstream.tls import build_client_context
from relay.policy.conformance.outcome import State
from relay.policy.conformance.rules import RULES
from relay.policy.conformance.target import Effort, Selection, Target
from relay.policy.settings.scalars import ProviderTimeouts
from relay.standard.catalogue import load_catalogue, load_rsp_codes

NOW = datetime(2026, 11, 30, 12, tzinfo=KOREA)
STATUSES = {code: row.http for code, row in load_rsp_codes().items()}
EFFORT = Effort(rate=100_000, pause_s=0.0)
NO_TLS = Contexts(None)
EVERYTHING = Selection()
CATALOGUE = load_catalogue()
OTHER_APIS = frozenset(api.api_code for api in CATALOGUE.iter_apis("bank")) - {"BA01", "BA04"}
"""The APIs of banks that spoilt institutions do not offer, to save time."""


async def conform(
    institution,
    *,
    industry="bank",
    left_out=frozenset(),
    effort=EFFORT,
    contexts=NO_TLS,
    selection=EVERYTHING,
    **timeouts,
):
    """Returns the report about an institution; it is open meanwhile."""
    await institution.open()
    try:
        target = Target(
            base_url=f"{'http' if contexts.usual is None else 'https'}://127.0.0.1:{institution.port}",
            industry=industry,
            org_code=ORG_CODE,
            customers=(FIRST, SECOND),
            relay="ZRAA000001",
            timeouts=ProviderTimeouts(**({"idle_s": 0.05} | timeouts)),
            left_out=left_out,
            needs_certificate=contexts.anonymous is not None,
        )
        return await run_conformance(
            target,
            contexts,
            CATALOGUE,
            STATUSES,
            effort=effort,
            selection=selection,
            now=NOW,
        )
    finally:
        await institution.stop()
        assert institution.bugs == []


@pytest.mark.parametrize("industry", INDUSTRIES)
async def test_the_institutions_of_the_sandbox_are_clean(industry):
    report = await conform(build_institution(NOTHING, industry), industry=industry)
    assert (report.findings, report.problem) == ((), "")
    passed = {outcome.api_id for outcome in report.outcomes if outcome.state is State.PASSED}
    assert passed == {"", *(api.api_id for api in report.apis)}
    assert report.calls > 15 * len(report.apis)


@pytest.mark.parametrize("left_out", [OTHER_APIS, pytest.param(frozenset(), marks=pytest.mark.full)], ids=("", "all"))
@pytest.mark.parametrize("spoil", SPOILS, ids=lambda spoil: spoil.name)
async def test_each_spoilt_rule_is_named_and_no_other(spoil, left_out):
    report = await conform(build_institution(spoil), left_out=left_out, **spoil.timeouts)
    assert report.problem == ""
    assert set(report.broken_rules) == spoil.rules, report.findings
    assert {each.flaw.rule for each in report.findings if each.is_remark} == spoil.remarks


@pytest.mark.parametrize("rule", ["period_rows", "parallel"])
async def test_a_selected_rule_that_cannot_be_tried_is_not_clean(rule):
    spoil = next(each for each in SPOILS if each.name == "two headers of a kind everywhere")
    report = await conform(build_institution(spoil), left_out=OTHER_APIS, selection=Selection(frozenset({rule})))
    assert report.broken_rules == ("framing",)


@pytest.mark.parametrize(("judge", "rule"), [(read_in_one_piece, "slow_request"), (break_after_cut, "cut_request")])
async def test_a_spoilt_connection_is_named(judge, rule):
    front = TcpFront(build_institution(), judge)
    report = await conform(front, left_out=OTHER_APIS, effort=replace(EFFORT, pause_s=0.05))
    assert report.broken_rules == (rule,)


async def test_an_institution_that_does_not_listen_is_a_problem():
    institution = build_institution()
    institution.open, institution.port = institution.stop, 1
    report = await conform(institution)
    assert (report.problem, report.findings, report.calls) == ("refused", (), 0)
    assert {outcome.state for outcome in report.outcomes} == {State.NOT_TRIED}


def serve(pair, *, client_ca=None, oldest=ssl.TLSVersion.TLSv1_2, newest=ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = oldest, newest
    context.load_cert_chain(pair.certificate, pair.private_key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


@pytest.fixture
def contexts(certificates):
    """The TLS of a relay whose institution must demand its certificate."""
    ca, pair = str(certificates.ca), certificates.relay
    usual = build_client_context(ca, str(pair.certificate), str(pair.private_key))
    old = build_old_context(str(pair.certificate), str(pair.private_key))
    return Contexts(usual, build_client_context(ca, None, None), old)


async def find_tls_flaws(contexts, context):
    report = await conform(build_institution(context=context), left_out=OTHER_APIS, contexts=contexts)
    assert {outcome.state for outcome in report.outcomes if outcome.case == "tls"} == {
        State.BROKEN if report.findings else State.PASSED
    }
    return report.problem, report.broken_rules


async def test_an_institution_with_mutual_tls_is_clean(certificates, contexts):
    context = serve(certificates.providers["bank"], client_ca=certificates.ca)
    assert await find_tls_flaws(contexts, context) == ("", ())


async def test_a_missing_demand_for_a_client_certificate_is_named(certificates, contexts):
    assert await find_tls_flaws(contexts, serve(certificates.providers["bank"])) == ("", ("tls_client_certificate",))


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_1])
async def test_an_old_version_of_tls_is_named(certificates, contexts, newest):
    context = serve(
        certificates.providers["bank"], client_ca=certificates.ca, oldest=ssl.TLSVersion.TLSv1_1, newest=newest
    )
    assert await find_tls_flaws(contexts, context) == ("", ("tls_version",))


@pytest.mark.parametrize("wrong", ["expired", "foreign", "other-name"])
async def test_a_wrong_certificate_is_named(certificates, contexts, wrong, tmp_path):
    authority = certificates.foreign_authority if wrong == "foreign" else certificates.authority
    now = datetime.now(UTC)
    pair = authority.issue(
        wrong,
        serial_number="1",
        folder=tmp_path,
        not_before=now - timedelta(days=9),
        not_after=now + timedelta(days=-1 if wrong == "expired" else 9),
        addresses=[x509.DNSName("other.example")] if wrong == "other-name" else LOOPBACK_NAMES,
    )
    assert await find_tls_flaws(contexts, serve(pair)) == ("", ("tls_certificate",))


def test_every_rule_has_a_spoilt_institution():
    named = {rule for spoil in SPOILS for rule in spoil.rules | spoil.remarks}
    elsewhere = {"slow_request", "cut_request", "tls_version", "tls_certificate", "tls_client_certificate"}
    assert set(RULES) - named - elsewhere == {"time_connect", "size"}
    assert len(SPOILS) >= 30
