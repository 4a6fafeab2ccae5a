"""Networks that penviz did not train: architectures, weights, heads, preprocessing, adoption as a run.

The function `penviz.load` has the name of this package, which Python sets in its place as soon as anything
here is imported: so the package can be called, and reads a run as that function does.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from penviz.captured_run import load

        return load(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
