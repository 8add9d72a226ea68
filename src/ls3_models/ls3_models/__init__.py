"""What LS3 learns. Importing it settles how torch's threads wait, so import it before torch."""

import os

# A spinning OpenMP thread starves the other processes of the graph; measured on two busy cores,
# a plan took four times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
