"""`ls3 replay`: the plans in a bag of the black box, made again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ls3_common.errors import UserError


class Differs(UserError):
    """Plans that were made again are not the recorded ones."""

    exit_code = 1


@dataclass(kw_only=True)
class ReplayBag:
    """Make the plans in a bag of the black box again, from its frames, and compare them.

    The exit code is 1 if a plan differs.
    """

    bag: Annotated[Path, tyro.conf.Positional]
    """Directory of the bag."""
    model: Path | None = None
    """Directory of the model that made the plans; by default the directory that the bag names."""
    tolerance: float = 1e-6
    """Largest difference of an action, in the domain's unit, up to which a plan is the same. The
    same processor gives no difference at all."""

    def execute(self) -> None:
        """Print a line for each plan, and the greatest differences.

        Raises:
            DataError: the bag holds no plan with all that it rests on, or lacks its model.
            Differs: a plan that was made again differs from the recorded one.
        """
        from dvrk_cable_env.bags.reading import Bag
        from ls3.data.replay import replay
        from ls3_common.errors import DataError

        bag = Bag(self.bag)
        plans, different, latent_error = 0, 0, 0.0
        for one in replay(bag, self.model):
            plans += 1
            same = one.action_error <= self.tolerance
            different += not same
            latent_error = max(latent_error, one.latent_error or 0.0)
            verdict = "the same" if same else f"DIFFERS by {one.action_error:.2g}"
            print(
                f"episode {one.episode} step {one.step}: recorded {_text(one.recorded)}, "
                f"again {_text(one.again)}, {verdict}; arm: {one.outcome or 'no answer recorded'}"
            )
        if bag.cut:
            print(f"the bag is incomplete: {bag.cut}")
        if not plans:
            raise DataError("no plan with its latent and its plan_input", where=str(self.bag))
        print(f"{plans} plans, {plans - different} the same; latents differ by {latent_error:.2g}")
        if different:
            raise Differs(
                f"{different} of {plans} plans differ",
                where=str(self.bag),
                do="another processor may round otherwise: repeat this where the plans were made",
            )


def _text(action: tuple[float, ...]) -> str:
    return f"({', '.join(f'{value:.5g}' for value in action)})" if action else "infeasible"
