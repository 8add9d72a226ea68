"""Fault injection: a campaign breaks the simulated graph in many ways, and observes it over DDS.

`python -m ls3_system_tests.faults` (`make faults`) runs the campaign. Every node of the graph is a
real process on real DDS. Processes are killed and stopped; an injector node between them spoils
their messages.
"""
