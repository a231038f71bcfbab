"""A portal in a bad mood: it fails, stays silent, talks nonsense, refuses, or takes a message and never says so."""

from relay.domain.portal import PortalAway, PortalRefused

BAD_MOODS = ("HTTP 500", "timed out", "no JSON", "refused", "taken, and hung up")


class MoodyPortal:
    """Keeps the bodies it took, in their order. `between` is awaited after each it took."""

    def __init__(self, chance, between):
        self._chance = chance
        self._between = between
        self.taken = []
        self.moods = []

    async def send_statistics(self, body):
        mood = "well" if self._chance.random() < 0.88 else self._chance.choice(BAD_MOODS)
        self.moods.append(mood)
        if mood == "refused":
            raise PortalRefused(400, "40001")
        if mood in {"well", "taken, and hung up"}:
            self.taken.append(body)
            await self._between()
        if mood != "well":
            raise PortalAway(mood)
        return f"tran{len(self.taken)}", "00000"
