"""The commands of `ls3`."""
