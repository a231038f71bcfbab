"""Hostile callers at the authority: an operator that hangs up, certifiers that never answer, secrets guessed."""

import asyncio
import itertools

from hostile.connections import Attack
from hostile.load_client import form_request, new_tran_id

HANG_UP_S = 0.03


async def hang_ups(attack: Attack) -> None:
    """Ask for refreshed tokens and hang up after 30 ms."""
    caller = attack.world.operators[0]
    context, forms = caller.context(attack.world.ca), itertools.cycle(caller.refreshes)

    async def attack_once() -> None:
        _, writer = await attack.connect(attack.world.gateway, context)
        try:
            writer.write(form_request(next(forms), new_tran_id(caller.org_code)))
            attack.done["requests"] += 1
            await asyncio.sleep(HANG_UP_S)
        finally:
            writer.transport.abort()

    await attack.repeat(attack_once, at_once=32)


async def _ask(attack: Attack, forms: list[dict[str, str]], at_once: int) -> None:
    caller = attack.world.operators[0]
    context, turns = caller.context(attack.world.ca), itertools.cycle(forms)

    async def attack_once() -> None:
        reader, writer = await attack.connect(attack.world.gateway, context)
        try:
            for _ in itertools.repeat(None):
                writer.write(form_request(next(turns), new_tran_id(caller.org_code)))
                attack.done["requests"] += 1
                if not (answer := await reader.read(1 << 16)):
                    return
                attack.done[f"status {answer[9:12].decode()}"] += 1
        finally:
            writer.transport.abort()

    await attack.repeat(attack_once, at_once=at_once)


async def silent_certifier(attack: Attack) -> None:
    """Bring signed consents whose certifier accepts connections and never answers."""
    await _ask(attack, attack.world.operators[0].signed, at_once=200)


async def wrong_secrets(attack: Attack) -> None:
    """Ask for tokens with secrets that are wrong."""
    forms = [
        form | {"client_secret": f"{number:040}"} for number, form in enumerate(attack.world.operators[0].refreshes)
    ]
    await _ask(attack, forms, at_once=32)


async def unknown_clients(attack: Attack) -> None:
    """Ask for tokens as services that do not exist."""
    forms = [
        form | {"client_id": f"unknown{number:04}"} for number, form in enumerate(attack.world.operators[0].refreshes)
    ]
    await _ask(attack, forms, at_once=32)
