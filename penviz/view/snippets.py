"""A few lines that write activations, for three frameworks; docs/your-model.md shows the same."""

SNIPPETS: dict[str, str] = {
    "PyTorch": """import numpy as np, torch

features = []
model.eval()
head = model.fc  # the last linear layer
head.register_forward_pre_hook(lambda _, x: features.append(x[0].flatten(1).clone()))
labels = []
with torch.no_grad():
    for x, y in loader:
        model(x)
        labels.append(y)
np.savez(
    "validation.npz",
    features=torch.cat(features).numpy(),
    labels=torch.cat(labels).numpy(),
    weight=head.weight.detach().numpy(),
    bias=head.bias.detach().numpy(),
)""",
    "JAX (Flax)": """import numpy as np

features, labels = [], []
for x, y in loader:
    _, state = model.apply(variables, x, train=False, capture_intermediates=True)
    features.append(np.asarray(state["intermediates"]["pooled"]["__call__"][0]))
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
"""Framework -> code that writes `validation.npz`."""
