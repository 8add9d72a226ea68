"""Algorithm 1: collecting data, training, learning online, and evaluating the policy."""
