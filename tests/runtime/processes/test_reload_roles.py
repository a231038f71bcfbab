"""Reloads of every role: a preparation that fails at any step changes nothing, and the next good one is applied."""

import asyncio
import enum
import threading
import time
from collections import deque
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from relay.infra.tokens.rotation import rotate
from relay.runtime.processes.authority import AuthorityProcess
from relay.runtime.processes.gateway import GatewayProcess
from relay.runtime.settings.loading import load_settings

ROLES = ("gateway", "authority", "jobs")
LEDGER = "relay.infra.ledger."
LIVE = {"reloader", "_registry", "_running"}
"""Attributes that change without a reload: its counts and watched files, the registry's copy, running jobs."""
LAST_STEP = "relay.runtime.wiring.restart.sections_needing_restart"
PLAIN = (str, bytes, int, float, bool, type(None), enum.Enum)


def capture(root):
    """Returns every value reachable from an object of the relay by attributes, items and keys, by path.

    Objects of libraries, such as TLS contexts and keys, are compared by identity.
    """
    rows, seen, open_rows = {}, {}, [("", root)]
    while open_rows:
        path, value = open_rows.pop()
        rows[path] = value if isinstance(value, PLAIN) else id(value)
        if isinstance(value, PLAIN) or id(value) in seen:
            continue
        seen[id(value)] = value
        if isinstance(value, dict):
            open_rows += [(f"{path}[{key!r}]", item) for key, item in value.items()]
        elif isinstance(value, list | tuple | deque):
            open_rows += [(f"{path}[{index}]", item) for index, item in enumerate(value)]
        elif type(value).__module__.startswith("relay.") and not type(value).__module__.startswith(LEDGER):
            names = {*getattr(value, "__dict__", ()), *getattr(type(value), "__slots__", ())}
            open_rows += [(f"{path}.{name}", getattr(value, name)) for name in names - LIVE if hasattr(value, name)]
    return rows, seen


class Scene:
    """A role with the settings of its deployment."""

    def __init__(self, deployment, role, reloader):
        self.role, self.reloader = role, reloader
        self.path, self.folder = deployment.path, deployment.path.parent
        self._captured = []

    def capture(self):
        """Returns the whole state of the role."""
        rows, objects = capture(self.role)
        self._captured.append(objects)  # keeps them alive: another object must not get the same identity
        return rows

    def change(self, name, changes):
        """Writes a text, or changes keys of a section or file."""
        file = self.folder / name
        if isinstance(changes, dict):
            values = yaml.safe_load(file.read_text())
            for key, value in changes.items():
                values[key] = {**values.get(key, {}), **value} if isinstance(value, dict) else value
            changes = yaml.safe_dump(values, allow_unicode=True)
        file.write_text(changes)

    def change_everything(self):
        """Changes settings, an institution, and the certificate that TLS shows everywhere."""
        self.change("relay.yaml", {"tokens": {"leeway_s": 7}, "retention": {"requests_days": 7}})
        self.change("providers/bank.yaml", {"concurrency": 7})
        certificate = self.folder / "certs" / "relay.pem"
        certificate.write_text(certificate.read_text() + "\n")


@asynccontextmanager
async def run_gateway(deployment):
    process = GatewayProcess(deployment.path)
    await process.relay.registry.poll()
    await process.relay.apply_registry(process.relay.registry.registry)
    try:
        yield Scene(deployment, process.relay, process.reloader)
    finally:
        await process.relay.ledger.close()


@asynccontextmanager
async def run_authority(deployment, caplog):
    process = AuthorityProcess(deployment.path)
    running = asyncio.create_task(process.run())
    try:
        async with asyncio.timeout(20):
            while "authority ready" not in caplog.text:
                assert not running.done(), await running
                await asyncio.sleep(0.005)
        yield Scene(deployment, process, process.reloader)
    finally:
        process.stop()
        await running


@pytest.fixture(params=ROLES)
async def scene(request, deployment, jobs_process, caplog):
    caplog.set_level("INFO")
    deployment.put(reload={"watch_s": 0}, authority={"socket": "a.sock"}, ledger={"poll_s": 1})
    if request.param == "gateway":
        async with run_gateway(deployment) as scene:
            yield scene
    elif request.param == "authority":
        async with run_authority(deployment, caplog) as scene:
            yield scene
    else:
        async with jobs_process(tick_s=3600) as running:
            yield Scene(deployment, running.process, running.process.reloader)


class FailingSteps:
    """Makes functions that the role's modules call during a preparation fail, one in each reload.

    It is the profile function of the threads that prepare. `steps` are all functions called until now.
    """

    def __init__(self):
        self.steps, self.failing = {}, None

    def __call__(self, frame, event, _):
        if event != "call" or frame.f_back is None:
            return
        module, caller = (each.f_globals.get("__name__", "") for each in (frame, frame.f_back))
        if module.startswith("relay.") and caller.startswith(("relay.runtime.processes", "relay.runtime.wiring")):
            step = f"{module}.{frame.f_code.co_qualname}"
            self.steps[step] = "<" not in step
            if step == self.failing:
                raise ZeroDivisionError(step)


@pytest.fixture
def failing_steps():
    steps = FailingSteps()
    threading.setprofile(steps)
    yield steps
    threading.setprofile(None)


async def list_steps(scene, failing_steps):
    """Returns all steps of a preparation, in their order. The last one fails, so that nothing is committed."""
    failing_steps.failing = LAST_STEP
    await scene.reloader.reload()
    assert (scene.reloader.applied, scene.reloader.rejected) == (0, 1)
    steps = [step for step, is_named in failing_steps.steps.items() if is_named]
    return steps[: steps.index(LAST_STEP) + 1]  # later ones read token keys of the settings in force


async def test_any_failing_step_leaves_the_whole_state(scene, failing_steps):
    before = scene.capture()
    scene.change_everything()
    steps = await list_steps(scene, failing_steps)
    for number, failing_steps.failing in enumerate(steps, 2):
        await scene.reloader.reload()
        assert (scene.reloader.applied, scene.reloader.rejected) == (0, number), failing_steps.failing
        assert scene.capture() == before, failing_steps.failing
    failing_steps.failing = None
    await scene.reloader.reload()
    assert scene.reloader.applied == 1
    assert scene.capture() != before


async def test_a_commit_reads_no_file(scene):
    before = scene.capture()
    scene.change_everything()
    prepared = scene.role.join_registry(scene.role.prepare(load_settings(scene.path, {})))
    for name in ("providers", "certs"):
        (scene.folder / name).rename(scene.folder / f"{name}.gone")
    assert scene.capture() == before
    scene.role.commit(prepared)
    assert scene.capture() != before


def write_half(file):
    """Leaves the first half of a file, as a copy that is under way. Returns the whole content."""
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    return content


@pytest.mark.parametrize("name", ["relay.pem", "relay.key.pem", "ca.pem"])
async def test_a_half_written_file_is_named_and_taken_once_complete(scene, caplog, name):
    scene.change_everything()
    before, file = scene.capture(), scene.folder / "certs" / name
    content = write_half(file)
    await scene.reloader.reload()
    assert "settings rejected, plan stays: role=" in caplog.text
    assert "relay.pem" in caplog.text if name == "relay.key.pem" else str(file) in caplog.text
    assert scene.capture() == before
    assert not scene.reloader.has_changed_files()
    file.write_bytes(content)
    assert scene.reloader.has_changed_files()
    await scene.reloader.reload()
    assert (scene.reloader.applied, scene.reloader.rejected) == (1, 1)
    assert scene.capture() != before


def use_private_key(reference):
    tls = {"certificate": "certs/relay.pem", "private_key": reference, "client_ca": "certs/ca.pem"}
    return {"gateway": {"tls": tls}}


CALLING = ("gateway", "authority")
"""Roles that call institutions."""

SPOILED = {
    "yaml": (ROLES, "relay.yaml", "{"),
    "value": (ROLES, "providers/bank.yaml", {"industry": "bakery"}),
    "key_of_another_certificate": (ROLES, "relay.yaml", use_private_key("file:certs/portal.key.pem")),
    "missing_secret": (ROLES, "relay.yaml", use_private_key("env:RELAY_TEST_NOTHING")),
    "token_keys": (CALLING, "relay.yaml", {"tokens": {"keys": "certs"}}),
    "ca_of_the_last_institution": (CALLING, "providers/usury.yaml", {"ca": "nowhere.pem"}),
    "key_of_the_last_institution": (CALLING, "providers/usury.yaml", {"private_key": "file:../certs/portal.key.pem"}),
}
"""Roles that cannot use the settings, file, and its text or changed keys."""


@pytest.mark.parametrize("spoiled", SPOILED)
async def test_unusable_settings_change_nothing(scene, spoiled):
    roles, name, changes = SPOILED[spoiled]
    scene.change_everything()
    before = scene.capture()
    scene.change(name, changes)
    await scene.reloader.reload()
    is_rejected = scene.role.name in roles
    assert (scene.reloader.applied, scene.reloader.rejected) == (not is_rejected, is_rejected)
    assert (scene.capture() == before) is is_rejected


BROKEN = {
    "gateway": ("relay.yaml", use_private_key("file:certs/portal.key.pem")),
    "authority": (
        "providers/usury.yaml",
        {"redirect": {"url": "https://usury.example", "public_key": "../relay.yaml"}},
    ),
    "jobs": ("relay.yaml", use_private_key("file:certs/portal.key.pem")),
}
"""A change that the role rejects for a reason other than token keys."""


async def test_token_keys_apply_while_settings_are_rejected(scene, caplog):
    scene.change(*BROKEN[scene.role.name])
    await scene.reloader.reload()
    before = scene.capture()
    folder = Path(scene.reloader.loaded.settings.tokens.keys)
    kid = rotate(folder, "next", int(time.time()), 60).kid
    is_used = scene.role.name in CALLING
    for _ in range(2):  # applied once
        await scene.reloader.reload()
        reloader = scene.reloader
        assert (reloader.applied, reloader.rejected > 1, reloader.keys_applied) == (0, True, int(is_used))
    assert (scene.capture() != before) is is_used
    if is_used:
        assert kid in [key["kid"] for key in scene.role.state.jwks["keys"]]
        assert f"token keys applied: role={scene.role.name} plan=" in caplog.text


async def test_unusable_token_keys_change_nothing_while_rejected(scene):
    scene.change(*BROKEN[scene.role.name])
    before = scene.capture()
    (Path(scene.reloader.loaded.settings.tokens.keys) / "jwks.json").write_text("{")
    await scene.reloader.reload()
    assert (scene.reloader.applied, scene.reloader.rejected, scene.reloader.keys_applied) == (0, 1, 0)
    assert scene.capture() == before
