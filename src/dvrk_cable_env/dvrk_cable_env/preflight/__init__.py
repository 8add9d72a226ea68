"""`preflight`: the checks before a first episode. No check moves the arm."""
