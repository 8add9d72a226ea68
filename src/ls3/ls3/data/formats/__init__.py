"""Formats of data sets and recordings, one module each; `ls3.data.registry` finds them."""
