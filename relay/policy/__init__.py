"""Floor 1: the verbs. Pure decisions; what they need (now, the plan) comes as arguments."""
