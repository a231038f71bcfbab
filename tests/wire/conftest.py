import pytest
from harness.head_difference import SCANNERS

from relay.wire import head


@pytest.fixture(params=SCANNERS, scope="module")
def scanner(request):
    """Each scanner of heads of this installation. `relay.wire.head` uses it."""
    scanner = SCANNERS[request.param]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(head, "scan_request", scanner.scan_request)
        patch.setattr(head, "scan_response", scanner.scan_response)
        yield scanner
