"""What LS3 learns. Import this package before torch: it sets how torch's threads wait."""

import os

# OpenMP threads that spin while they wait take processor time from the graph's other processes: on
# two busy cores a plan took four times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
SPIN = "GOMP_SPINCOUNT"


def let_threads_spin() -> None:
    """Let torch's threads spin while they wait, if the processor is less than half busy.

    This must be called before torch is imported. On idle cores training steps then take two thirds
    of the time. On busy cores they take up to one and a half times as long, a plan took 3.1 s
    instead of 1.8 s, and an encoding 111 ms instead of 2 ms (two cores, beside three trainings).
    """
    busy = os.getloadavg()[0]  # how many processes wanted a core, over the last minute
    if busy < (os.cpu_count() or 1) / 2:
        os.environ.setdefault(SPIN, "300000")
