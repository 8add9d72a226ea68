"""Pictures and videos of an episode."""
