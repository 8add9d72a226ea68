"""The `ls3` command: data, learning, runs and studies."""
