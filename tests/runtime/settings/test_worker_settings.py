"""Settings of one worker."""

from relay.policy.settings.worker_shares import WorkerShare
from relay.runtime.settings.loading import load_settings
from relay.runtime.settings.worker_settings import apply_share


def test_a_worker_has_a_share_of_settings_and_institutions(folder):
    folder.put("providers/bank.yaml", "concurrency", 9)
    loaded = load_settings(folder.path, {})
    divided = apply_share(loaded, WorkerShare(2, 2))
    assert divided.settings.gateway.limits.connections == loaded.settings.gateway.limits.connections // 2
    assert [provider.concurrency for provider in divided.providers] == [4]
    assert (divided.fingerprint, divided.files) == (loaded.fingerprint, loaded.files)


def test_without_a_share_settings_stay(folder):
    loaded = load_settings(folder.path, {})
    assert apply_share(loaded, None) is loaded
