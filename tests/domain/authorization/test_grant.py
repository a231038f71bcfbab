from relay.domain.authorization.grant import Grant, NotCached

GRANT = Grant(
    jti="jti-1",
    consent=b"consent-1",
    ends_at=1_800_000_000.0,
    is_scheduled=True,
    assets="\nbank.deposit\t110-Zq7marker\t\n",
    withheld=frozenset({"trans_memo"}),
    particulars_body=b'{"asset":"110-Zq7marker"}',
    ci=b"Zq7marker",
)


def test_repr_hides_the_customer():
    assert "Zq7marker" not in repr(GRANT)
    assert "jti-1" in repr(GRANT)


def test_a_new_grant_is_not_revoked():
    assert GRANT.is_revoked is False


def test_all_holders_of_a_grant_see_it_revoked():
    grant = Grant("jti-2", b"", 0.0, is_scheduled=False, assets="", withheld=frozenset(), particulars_body=b"", ci=b"")
    shared = grant
    grant.is_revoked = True
    assert shared.is_revoked


def test_an_uncached_grant_names_its_token_in_the_attribute_only():
    missing = NotCached("jti-1")
    assert (missing.jti, str(missing)) == ("jti-1", "")
