"""How LS3 acts: planning, Algorithm 1 and the `ls3` command."""

import ls3_models  # noqa: F401  settles how torch's threads wait before torch is imported
