"""The checks before a first episode; none of them moves the arm."""
