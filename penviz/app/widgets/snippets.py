"""A few lines that write what the page accepts, for three frameworks."""

from __future__ import annotations

import re

from penviz.external.reader.report import FileReport

_RUN = """# model: your network with its weights; test_loader: labelled images that it has not seen
run = penviz.capture(model, {"test": test_loader}, name="mine")  # label_smoothing=0.1, where you know it
penviz.save(run, "mine")
shutil.make_archive("mine", "zip", "mine")  # drop mine.zip on this page"""

SNIPPETS: dict[str, str] = {
    "PyTorch": f"import shutil\n\nimport penviz\n\n{_RUN}",
    "JAX (Flax)": """import numpy as np

# in the model, before its last layer, which is called "head":  self.sow("intermediates", "pooled", x)
features, labels = [], []
for x, y in loader:
    _, state = model.apply(variables, x, train=False, mutable=["intermediates"])
    features.append(np.asarray(state["intermediates"]["pooled"][0]))
    labels.append(np.asarray(y))
head = variables["params"]["head"]  # its kernel is [d, K]
np.savez(
    "validation.npz",
    features=np.concatenate(features),
    labels=np.concatenate(labels),
    weight=np.asarray(head["kernel"]).T,
    bias=np.asarray(head["bias"]),
)""",
    "TensorFlow (Keras)": """import numpy as np, keras

head = model.layers[-1]  # the last Dense layer; its kernel is [d, K]
body = keras.Model(model.inputs, head.input)
features, labels = [], []
for x, y in dataset:
    features.append(body.predict_on_batch(x))
    labels.append(np.asarray(y))
kernel, bias = head.get_weights()
np.savez(
    "validation.npz",
    features=np.concatenate(features),
    labels=np.concatenate(labels),
    weight=kernel.T,
    bias=bias,
)""",
}
"""Framework -> code that writes `mine.zip` or `validation.npz`."""


def capture_lines(report: FileReport) -> str:
    """The lines of `penviz.capture` for a file of weights that no known network fits."""
    imported, read = "import torch", f'torch.load({report.name!r}, map_location="cpu")'
    if report.kind == "safetensors":
        imported, read = "from safetensors.torch import load_file", f"load_file({report.name!r})"
    lines = ["import shutil", "", "import penviz", imported, ""]
    lines.append(f"weights = {read}{''.join(f'[{key!r}]' for key in report.wrapper)}")
    around = re.match(r"((module|_orig_mod)\.)*", report.prefix)  # other prefixes may be the network's own
    if around and around[0]:
        bare = f"key.removeprefix({around[0]!r})"
        lines.append(f"weights = {{{bare}: value for key, value in weights.items()}}")
    return "\n".join([*lines, "model.load_state_dict(weights)", _RUN])
