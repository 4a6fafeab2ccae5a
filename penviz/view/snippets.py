"""A few lines that write activations, for three frameworks; docs/your-model.md shows the same."""

SNIPPETS: dict[str, str] = {
    "PyTorch": """import numpy as np, torch

features, labels = [], []
model.eval()
head = model.fc  # the last linear layer
head.register_forward_pre_hook(lambda _, x: features.append(x[0].flatten(1).cpu().clone()))
with torch.no_grad():
    for x, y in loader:
        model(x.to(head.weight.device))
        labels.append(y.cpu())
np.savez(
    "validation.npz",
    features=torch.cat(features).numpy(),
    labels=torch.cat(labels).numpy(),
    weight=head.weight.detach().cpu().numpy(),
    bias=head.bias.detach().cpu().numpy(),
)""",
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
"""Framework -> code that writes `validation.npz`."""
