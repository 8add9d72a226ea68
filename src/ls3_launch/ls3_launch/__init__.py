"""Arguments, checks and actions that the launch files share."""
