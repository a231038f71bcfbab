"""What holds for every test."""

from hypothesis import settings

# Two cores shared with others make a deadline measure the machine instead of the code; examples are the same each run.
settings.register_profile("relay", deadline=None, derandomize=True)
settings.load_profile("relay")
