"""What several tests share: one thread, the digits, and small trainings on them."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
