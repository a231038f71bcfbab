"""A portal with failure modes: errors, silence, invalid answers, refusals, and acceptance without a response."""

from relay.domain.portal import PortalDown, PortalRefused

FAILURE_MODES = ("HTTP 500", "timed out", "no JSON", "refused", "taken, and hung up")


class FailingPortal:
    """Stores accepted bodies in order. `between` is awaited after each of them."""

    def __init__(self, chance, between):
        self._chance = chance
        self._between = between
        self.taken = []
        self.modes = []

    async def send_statistics(self, body):
        mode = "ok" if self._chance.random() < 0.88 else self._chance.choice(FAILURE_MODES)
        self.modes.append(mode)
        if mode == "refused":
            raise PortalRefused(400, "40001")
        if mode in {"ok", "taken, and hung up"}:
            self.taken.append(body)
            await self._between()
        if mode != "ok":
            raise PortalDown(mode)
        return f"tran{len(self.taken)}", "00000"
