"""The fingerprints of all architectures of the installed torchvision and timm, written anew.

python -m penviz.external.networks.write_fingerprints
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from penviz.external.networks import architectures, builders, fingerprints


def write() -> None:
    """Write `fingerprints.STORED`, for a class count of 1000."""
    import timm
    from torchvision import models as zoo

    plain = zoo.list_models(module=zoo)
    names = [f"torchvision:{n}" for n in plain]
    names += [f"torchvision:{n}-without-aux" for n in builders.AUXILIARY]
    names += [f"timm:{n}" for n in timm.list_models()]
    kept, sketches = [], []
    for name in names:
        try:
            sketches.append(fingerprints.sketch(architectures.network_shapes(name, 1000)))
            kept.append(name)
        except Exception as error:
            print(f"{name} left out: {type(error).__name__} {error}")
    path = Path(__file__).with_name(fingerprints.STORED)
    np.savez_compressed(path, names=np.array(kept), sketches=np.stack(sketches))
    print(f"{len(kept)} fingerprints, {path.stat().st_size} bytes")


if __name__ == "__main__":
    write()
