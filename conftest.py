"""Settings of every test of this repository."""

from hypothesis import settings

pytest_plugins = ("graph_fixtures",)

# A shared machine may stall for a second: how long one example takes proves nothing.
settings.register_profile("repository", deadline=None)
settings.load_profile("repository")
