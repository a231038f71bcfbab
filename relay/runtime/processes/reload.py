"""Replaces the settings of a running process: all roles, on SIGHUP and when files change.

A reload prepares everything on a thread: it reads, compiles and opens, and changes nothing. Only then the event loop
commits: it swaps what was prepared, which cannot fail. So one problem in one file leaves everything as it was.

Token keys are the exception: the roles must agree on them. When settings are rejected, a role still applies the keys
in the key folder of its settings in force.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from relay.infra.files.reading_thread import ReadingThread
from relay.policy.settings.worker_shares import WorkerShare
from relay.runtime.processes.file_watch import FileWatch, Fingerprint, list_key_files, list_yaml_files
from relay.runtime.settings.ending_certificates import find_ending
from relay.runtime.settings.expired_certificates import Certificates, check_new_certificates, read_certificates
from relay.runtime.settings.loading import LoadedSettings, SettingsError, load_settings
from relay.runtime.settings.worker_settings import apply_share
from relay.runtime.wiring.errors import SETTINGS_ERRORS
from relay.runtime.wiring.restart import sections_needing_restart

_log = logging.getLogger(__name__)

HANGS_S: Final = 10.0
"""A reload that reads for longer is logged: a file of the settings does not answer."""

WARN_EVERY_S: Final = 86400.0
"""Seconds between warnings of the same certificates that end soon."""

PreparedT = TypeVar("PreparedT")
ResultT = TypeVar("ResultT")


class Role(Protocol[PreparedT]):
    """A role of the relay whose settings are replaced while it runs. `name` names it in logs."""

    @property
    def name(self) -> str:
        """The value of `relay serve --role`."""

    def prepare(self, loaded: LoadedSettings) -> PreparedT:
        """Returns everything that these settings determine. Runs on a thread and changes nothing.

        Raises SETTINGS_ERRORS when the settings cannot be used; closes what it opened until then.
        """

    def join_registry(self, prepared: PreparedT) -> PreparedT:
        """Returns `prepared` with the registry in force, which may have changed meanwhile. Changes nothing.

        Runs on the event loop, in the same turn as `commit`. So a file that hangs delays no change of the registry.
        """

    def prepare_token_keys(self) -> PreparedT | None:
        """Returns the state in force with the token keys now in its key folder; None if they are the same or not used.

        Runs on a thread and changes nothing. Raises SETTINGS_ERRORS when the folder cannot be used.
        """

    def commit(self, prepared: PreparedT) -> None:
        """Puts `prepared` in force: assigns, then retires what it replaced. Cannot fail."""


class Reloader(Generic[PreparedT]):
    """Reloads the settings of one role. `loaded` are those in force, `applied` and `rejected` count reloads.

    One reload runs at a time; requests meanwhile cause one more together. Settings that cannot be used are rejected:
    the log names the file, those in force stay, and the next reload is due when a file changes. An unexpected error
    rejects them too; these files are tried again at the next check. `keys_applied` counts rejected reloads that
    applied token keys. Sections of the role that need a restart are logged. A worker has its `share` of the limits.
    `warns` of certificates that end soon: one of several processes on a machine is enough. `on_applied` gets settings
    that are in force from now on.
    """

    def __init__(
        self,
        role: Role[PreparedT],
        config: Path,
        loaded: LoadedSettings,
        *,
        hangs_s: float = HANGS_S,
        share: WorkerShare | None = None,
        warns: bool = True,
        on_applied: Callable[[LoadedSettings], object] = lambda _: None,
    ) -> None:
        self._role = role
        self._share = share
        self._on_applied = on_applied
        self._config = config
        self._at_start = loaded.settings
        self._hangs_s = hangs_s
        self.loaded = loaded
        self.applied = self.rejected = self.keys_applied = 0
        self._certificates = read_certificates(loaded)
        self._warns = warns and (share is None or share.slot == 1)
        self._warned_at = float("-inf")
        self._files = set(loaded.files)
        self._watch = FileWatch(self._list_files)
        self._fingerprint: Fingerprint = ()
        self._requested = asyncio.Event()
        self._lock = asyncio.Lock()

    def request(self) -> None:
        """Requests a reload. Requests during a reload cause one more together."""
        self._requested.set()

    def has_changed_files(self) -> bool:
        """Returns whether a file differs from the one that the last reload read."""
        return self._watch.has_changed()

    async def run(self, interval_s: float) -> None:
        """Reloads on request and when files changed, checked every `interval_s` (0: never), until cancelled."""
        while True:
            try:
                await self._warn_of_ending_certificates()
            except Exception as error:  # later reloads depend on this task
                self._log_unexpected(error)
            with contextlib.suppress(TimeoutError):  # time to check the files
                async with asyncio.timeout(interval_s or WARN_EVERY_S):
                    await self._requested.wait()
            try:
                is_requested = self._requested.is_set()
                if is_requested or (interval_s and await self._run_on_thread(self.has_changed_files)):
                    self._requested.clear()
                    await self.reload()
            except Exception as error:  # later reloads depend on this task
                self._log_unexpected(error)

    async def reload(self) -> None:
        """Applies the current settings; keeps those in force when they cannot be used."""
        async with self._lock:
            try:
                candidate = await self._run_on_thread(self._prepare)
                prepared = self._role.join_registry(candidate.prepared)
            except SETTINGS_ERRORS as error:
                self._reject(error)
                await self._apply_token_keys(error)
            except Exception as error:
                self.rejected += 1
                self._log_unexpected(error)
                await self._apply_token_keys(error)
                return  # the next check tries these files again
            else:
                self._commit(candidate, prepared)
            await self._run_on_thread(lambda: self._watch.mark_known(self._fingerprint))

    async def _apply_token_keys(self, rejection: Exception) -> None:
        """Applies changed token keys while settings are rejected: a role that misses one refuses tokens of the others.

        Unusable keys change nothing; they are logged unless they are why the settings were rejected.
        """
        try:
            prepared = await self._run_on_thread(self._role.prepare_token_keys)
            if prepared is None:
                return
            prepared = self._role.join_registry(prepared)
        except Exception as error:
            if str(error) != str(rejection):
                is_expected = isinstance(error, SETTINGS_ERRORS)
                reason, traceback = (error, None) if is_expected else (type(error).__name__, error)
                _log.error("token keys rejected, those in force stay: role=%s reason=%s", self._role.name, reason,
                           exc_info=traceback)  # fmt: skip
        else:
            self._role.commit(prepared)
            self.keys_applied += 1
            _log.info("token keys applied: role=%s plan=%s", self._role.name, self.loaded.fingerprint)

    async def _warn_of_ending_certificates(self) -> None:
        """Logs certificates in force that end soon: at the start, after each reload, and once a day."""
        if not self._warns or time.monotonic() - self._warned_at < WARN_EVERY_S:
            return
        self._warned_at, now = time.monotonic(), datetime.now(UTC)
        certificates = self._certificates
        for certificate in await self._run_on_thread(lambda: list(find_ending(certificates, now))):
            _log.warning("certificate ends soon: role=%s file=%s subject=%s ends=%s days=%d", self._role.name,
                         certificate.file, certificate.name, f"{certificate.ends:%Y-%m-%d}",
                         certificate.count_days(now))  # fmt: skip

    def _prepare(self) -> "_Candidate[PreparedT]":
        loaded = self._load()
        certificates = read_certificates(loaded)
        check_new_certificates(self._certificates, certificates, datetime.now(UTC))
        prepared = self._role.prepare(loaded)
        restarts = sections_needing_restart(self._role.name, self._at_start, loaded.settings)
        return _Candidate(loaded, certificates, prepared, restarts)

    def _load(self) -> LoadedSettings:
        """Reads the settings; again if they name files that were not watched, so that each was seen before it was read.

        Raises SettingsError. Missing files are watched too: they cause a reload when they appear.
        """
        while True:
            self._fingerprint = self._watch.fingerprint()  # a later change is detected by the next check
            watched = len(self._files)
            try:
                loaded = apply_share(load_settings(self._config, os.environ), self._share)
            except SettingsError as error:
                self._files.update(error.files)
                if len(self._files) == watched:
                    raise
            else:
                self._files.update(loaded.files)
                if len(self._files) == watched:
                    return loaded

    def _commit(self, candidate: "_Candidate[PreparedT]", prepared: PreparedT) -> None:
        self._role.commit(prepared)
        self.loaded, self._certificates = candidate.loaded, candidate.certificates
        self._files = set(candidate.loaded.files)
        self._warned_at = float("-inf")
        self.applied += 1
        _log.info("settings applied: role=%s plan=%s", self._role.name, self.loaded.fingerprint)
        if candidate.restarts:
            sections = ",".join(candidate.restarts)
            _log.warning("settings changed that need a restart: role=%s sections=%s", self._role.name, sections)
        self._on_applied(candidate.loaded)

    def _reject(self, error: Exception) -> None:
        self.rejected += 1
        plan = self.loaded.fingerprint
        _log.error("settings rejected, plan stays: role=%s plan=%s reason=%s", self._role.name, plan, error)

    def _log_unexpected(self, error: Exception) -> None:
        _log.error("settings reload failed: role=%s", self._role.name, exc_info=error)

    def _list_files(self) -> list[Path]:
        settings = self.loaded.settings
        providers, keys = list_yaml_files(Path(settings.providers)), list_key_files(Path(settings.tokens.keys))
        telegrams = [file for folder in self.loaded.telegram_folders for file in list_yaml_files(folder)]
        return [*self._files, *providers, *telegrams, *keys]

    async def _run_on_thread(self, work: Callable[[], ResultT]) -> ResultT:
        thread = ReadingThread(work, "settings-reload")
        await asyncio.wait([thread.result], timeout=self._hangs_s)
        if not thread.result.done():
            file, role = thread.file or "unknown", self._role.name
            _log.error("settings reload hangs, settings in force stay: role=%s file=%s", role, file)
        return await thread.result


@dataclass(frozen=True, slots=True)
class _Candidate(Generic[PreparedT]):
    """Settings that can be used, with everything that they determine and the sections that need a restart."""

    loaded: LoadedSettings
    certificates: Certificates
    prepared: PreparedT
    restarts: list[str]
