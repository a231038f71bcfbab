"""Decisions about one data call: caller, route, parameters, consent, limits; and the plan they are compiled into."""
