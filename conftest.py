"""Settings of every test of this repository."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from ls3_common.processes import STOPPING

pytest_plugins = ("graph_fixtures",)

# A shared machine may stall for a second: how long one example takes proves nothing.
settings.register_profile("repository", deadline=None)
settings.load_profile("repository")

# A background job ignores Ctrl-C, and all that its tests start would ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def signals_are_left_as_they_were() -> Iterator[None]:
    """Fail a test that changes how this process takes signals.

    What later tests start would inherit an ignored signal, and nothing could interrupt it.
    """
    before = {number: signal.getsignal(number) for number in STOPPING}
    yield
    after = {number: signal.getsignal(number) for number in STOPPING}
    for number, handler in before.items():
        if handler is not None:  # None: a handler that was not set from Python
            signal.signal(number, handler)
    assert after == before


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread: what is equal to the last bit depends on the number."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
