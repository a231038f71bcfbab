"""Security schemes: scopes with their APIs."""

from relay.policy.documents.security import build_security_schemes


def test_a_scope_lists_its_apis(source):
    scopes = build_security_schemes(source, ["bank"])["accessToken"]["flows"]["password"]["scopes"]
    assert scopes["bank.deposit"] == "은행-002, 은행-003, 은행-004"


def test_the_portal_gets_tokens_by_its_credentials(source):
    flows = build_security_schemes(source, ["support", "portal"])["supportToken"]["flows"]
    assert flows["clientCredentials"]["tokenUrl"] == "/mgmts/oauth/2.0/token"
    assert list(flows["clientCredentials"]["scopes"]) == ["manage"]


def test_token_apis_need_mutual_tls_alone(source):
    assert list(build_security_schemes(source, ["oauth"])) == ["mutualTLS"]
