"""Ends of a process in the middle of a run."""

import gymnasium


class KilledError(BaseException):
    """The process ends here and now, as by `kill -9`: nothing handles it."""


class Signalling(gymnasium.Wrapper):
    """An environment that does something at its n-th step."""

    def __init__(self, env, at, what):
        super().__init__(env)
        self.left, self.what = at, what

    def step(self, action):
        self.left -= 1
        if self.left == 0:
            self.what()
        return super().step(action)


def killed():
    raise KilledError
