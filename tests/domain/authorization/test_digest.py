from relay.domain.authorization.digest import digest_text


def test_the_digest_is_the_sha256_of_the_utf8_text():
    assert digest_text("").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest_text("전송요구") != digest_text("전송 요구")
    assert len(digest_text("전송요구")) == 32
