"""How LS3 acts. Read `reference` first; `plan` has what other packages call."""

import ls3_models  # noqa: F401  settles how torch's threads wait before torch is imported
