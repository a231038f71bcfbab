"""Taking turns at what there is little of."""


class Crowded(Exception):
    """So many wait for a turn that nobody else may: nothing was begun, come again later."""
