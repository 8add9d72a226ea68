"""What LS3 learns. Importing it settles how torch's threads wait, so import it before torch."""

import os

# A spinning OpenMP thread starves the other processes of the graph; measured on two busy cores,
# a plan took four times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
SPIN = "GOMP_SPINCOUNT"


def let_threads_spin() -> None:
    """Spare waiting threads their sleep, in a process that has the cores to itself.

    To be called before torch is imported. Training steps then take two thirds of the time on idle
    cores, and up to one and a half times as long on busy ones.
    """
    os.environ.setdefault(SPIN, "300000")
