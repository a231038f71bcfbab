"""The settings of one worker of a gateway."""

from dataclasses import replace

from relay.policy.settings.worker_shares import WorkerShare
from relay.runtime.settings.loading import LoadedSettings


def apply_share(loaded: LoadedSettings, share: WorkerShare | None) -> LoadedSettings:
    """Returns settings with a worker's share of the limits; without a share they stay.

    Fingerprint and files are those of all workers.
    """
    if share is None:
        return loaded
    is_shared = loaded.settings.quotas.redis is not None
    providers = [share.divide_provider(provider, is_shared=is_shared) for provider in loaded.providers]
    return replace(loaded, settings=share.divide_settings(loaded.settings), providers=tuple(providers))
