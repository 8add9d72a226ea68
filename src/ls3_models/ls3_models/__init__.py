"""What LS3 learns. Importing it settles how torch's threads wait, so import it before torch."""

import os

# A spinning OpenMP thread starves the other processes of the graph; measured on two busy cores,
# a plan took four times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
SPIN = "GOMP_SPINCOUNT"


def let_threads_spin() -> None:
    """Spare waiting threads their sleep, where the cores have little else to do.

    To be called before torch is imported. Training steps then take two thirds of the time on idle
    cores, and up to one and a half times as long on busy ones. There a plan took 3.1 s instead of
    1.8, and an encoding 111 ms instead of 2 (two cores, beside three trainings).
    """
    busy = os.getloadavg()[0]  # processes that wanted a core, over the last minute
    if busy < (os.cpu_count() or 1) / 2:
        os.environ.setdefault(SPIN, "300000")
