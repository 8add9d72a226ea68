"""Algorithm 1: data collection, training, online episodes, and the policy that is evaluated."""
