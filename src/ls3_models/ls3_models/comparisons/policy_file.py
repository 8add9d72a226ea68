"""The file of a policy, ``policy.safetensors``: what acts, and for which domain it was learned.

No node of a graph reads such a file: these policies never move an arm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ls3_common import parameters
from ls3_common.errors import ConfigError, DataError
from ls3_common.model_facts import POLICY, refuse_other_domain
from ls3_models import checkpoint
from ls3_models.formats import Format
from ls3_models.offline_data import Spec

FORMAT = Format("policy", {})


@dataclass(frozen=True)
class Description:
    """What a file says of its policy.

    method: name of the method. spec: the domain. settings: configurations by section of the
    domain's YAML.
    """

    method: str
    spec: Spec
    settings: Mapping[str, Any]


def write(
    path: Path, tensors: Mapping[str, Tensor], description: Description, manifest: Mapping[str, Any]
) -> None:
    """Write a policy into directory `path`; `manifest`, which is JSON, says how it was made."""
    spec = description.spec
    document = {
        **manifest,
        "format": FORMAT.mark,
        "method": description.method,
        "domain": spec.domain,
        "observation_shape": list(spec.observation_shape),
        "action_low": list(spec.action_low),
        "action_high": list(spec.action_high),
        "settings": {
            section: parameters.to_dict(config) for section, config in description.settings.items()
        },
    }
    checkpoint.save(path / POLICY, tensors, document)


def read(
    path: Path, method: str, sections: Mapping[str, type], spec: Spec
) -> tuple[dict[str, Tensor], Description]:
    """Read a policy of `method` for the domain of `spec`.

    Args:
        path: directory of the policy.
        method: name of the method.
        sections: dataclasses of the settings by section.
        spec: the domain that the policy must be for.

    Raises:
        DataError: there is no policy; it is damaged, or of another method or domain.
    """
    file = path / POLICY
    if not file.exists():
        raise DataError(
            f"no policy here: {POLICY} is expected",
            where=str(path),
            do=f"give a directory written by `ls3 learn --method {method}`",
        )
    tensors, document = checkpoint.load(file)
    FORMAT.number(document.get("format"), str(file))
    try:
        found = Spec(
            str(document["domain"]),
            tuple(map(int, document["observation_shape"])),  # type: ignore[arg-type]
            tuple(map(float, document["action_low"])),
            tuple(map(float, document["action_high"])),
        )
        other = str(document["method"])
        if other != method:
            raise DataError(
                f"a policy of method '{other}', not of '{method}'",
                where=str(path),
                do=f"give --method {other}",
            )
        refuse_other_domain(found, spec.domain, spec, path)
        settings: dict[str, Any] = {
            section: parameters.build(cls, document["settings"][section], str(file))
            for section, cls in sections.items()
        }
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, ConfigError) as error:
        raise DataError(f"damaged policy ({error})", where=str(file)) from None
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise DataError("the policy holds values that are not finite", where=str(file))
    return tensors, Description(method, found, settings)
