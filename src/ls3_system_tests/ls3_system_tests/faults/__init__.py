"""Fault injection: the simulated graph is broken in every way we know, and watched from outside.

`python -m ls3_system_tests.faults` (`make faults`) runs the campaign. Every process of the graph
is a real one on real DDS; the injector stands between them and spoils what passes.
"""
