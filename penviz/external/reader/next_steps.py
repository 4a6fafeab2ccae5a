"""What to do with a file that penviz does not load: a sentence, and lines of Python to run as they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from penviz.external.reader import torch_names
from penviz.external.reader.pickle_nodes import Call, Mapping, Tree

FILE = "<file>"
"""Stands in the lines of a NextStep for the name of the file, as a Python literal."""


@dataclass(frozen=True)
class NextStep:
    """What helps with a file that is not loaded.

    Attributes:
        text: a sentence or two; lines: of Python, to be run as they stand, with FILE for the file's name.
    """

    text: str
    lines: tuple[str, ...] = ()


_TRUST = "If you trust the file, these lines keep its weights alone"
_TRUST_HERE = f"{_TRUST}; on the command line, penviz extract --trust reads it as it is."
_SAFE = f'weights = torch.load({FILE}, map_location="cpu", weights_only=True)'
_ANY = f'weights = torch.load({FILE}, map_location="cpu", weights_only=False)'
_SAVE = 'torch.save(weights, "weights.pt")'
_SAVE_ARRAYS = 'numpy.savez("activations.npz", features=features, labels=labels, weight=weight, bias=bias)'
_THEN = "Then: penviz extract activations.npz --split test --out DIR."

REWRITE = NextStep(
    "These lines write the file again, as torch writes it today.", ("import torch", "", _SAFE, _SAVE)
)
STATE_DICT = NextStep(
    "Where the file comes from, load the model there and save its weights alone.",
    ('torch.save(model.state_dict(), "weights.pt")',),
)
COPIES = NextStep(
    "If the file is your own, these lines save a copy of every tensor.",
    (
        "import torch",
        "",
        _SAFE,
        "weights = {name: tensor.contiguous().clone() for name, tensor in weights.items()}",
        _SAVE,
    ),
)
TAR = NextStep(_TRUST_HERE, ("import torch", "", _ANY, _SAVE))
SCRIPT = NextStep(
    _TRUST_HERE,
    ("import torch", "", f'weights = torch.jit.load({FILE}, map_location="cpu").state_dict()', _SAVE),
)
EXPORTED = NextStep(
    f"{_TRUST}.", ("import torch", "", f"weights = dict(torch.export.load({FILE}).state_dict)", _SAVE)
)
ARRAYS = NextStep(
    f"Write what enters the last layer, and that layer, as arrays. {_THEN}",
    ("import numpy", "", "# features [n, d], labels [n], weight [K, d], bias [K]", _SAVE_ARRAYS),
)
KERAS = NextStep(
    "Where Keras is installed, these lines write what enters the last Dense layer, and that layer; "
    f"images and labels are your test data. {_THEN}",
    (
        "import keras",
        "import numpy",
        "",
        f"model = keras.models.load_model({FILE})",
        "features = keras.Model(model.inputs, model.layers[-1].input).predict(images)",
        "weight, bias = model.layers[-1].get_weights()",
        "weight = weight.T",
        _SAVE_ARRAYS,
    ),
)
ONNX = NextStep(
    "Where onnx and onnxruntime are installed, these lines write what enters the last layer, and that layer; "
    f"images and labels are your test data. {_THEN}",
    (
        "import numpy",
        "import onnx",
        "import onnxruntime",
        "",
        f"model = onnx.load({FILE}, load_external_data=False)",
        'last = [node for node in model.graph.node if node.op_type == "Gemm"][-1]',
        "model.graph.output.append(onnx.helper.make_empty_tensor_value_info(last.input[0]))",
        "session = onnxruntime.InferenceSession(model.SerializeToString())",
        "(features,) = session.run([last.input[0]], {session.get_inputs()[0].name: images})",
        "arrays = {a.name: onnx.numpy_helper.to_array(a) for a in model.graph.initializer}",
        "weight, bias = arrays[last.input[1]], arrays[last.input[2]]",
        _SAVE_ARRAYS,
    ),
)
"""torch exports a linear layer as a Gemm whose weight is [K, d] (transB = 1)."""
MSGPACK = NextStep(
    "Where Flax is installed, these lines show the layers; the features come from your model, as in "
    "docs/your-model.md. A PyTorch or safetensors file of the same model is read as it is.",
    (
        "import flax.serialization",
        "",
        f'with open({FILE}, "rb") as file:',
        "    variables = flax.serialization.msgpack_restore(file.read())",
        "print({name: layer.keys() for name, layer in variables['params'].items()})",
    ),
)


def of_object(path: str) -> NextStep:
    """For a file whose pickle asks for code; `path` of its weights, "" where that cannot be seen."""
    return NextStep(_TRUST_HERE, ("import torch", "", _ANY + path, _SAVE)) if path else STATE_DICT


def as_dense(path: str) -> NextStep:
    """For quantised and sparse tensors."""
    dense = "tensor.to_dense() if tensor.layout != torch.strided else tensor.dequantize()"
    lines = (_SAFE + path, f"weights = {{name: {dense} for name, tensor in weights.items()}}", _SAVE)
    return NextStep("These lines save them as plain dense tensors.", ("import torch", "", *lines))


def as_tensors(path: str) -> NextStep:
    """For NumPy arrays in place of tensors."""
    made = "weights = {name: torch.as_tensor(array) for name, array in weights.items()}"
    return NextStep(_TRUST_HERE, ("import torch", "", _ANY + path, made, _SAVE))


def unpickled(path: str) -> NextStep:
    """For a file of pickle.dump."""
    return NextStep(
        _TRUST_HERE,
        (
            "import pickle",
            "",
            "import torch",
            "",
            f'with open({FILE}, "rb") as file:',
            f"    weights = pickle.load(file){path}",
            'torch.save({name: torch.as_tensor(array) for name, array in weights.items()}, "weights.pt")',
        ),
    )


def where_weights(tree: Tree, most: int = 3) -> str:
    """How to get at the weights of an unpickled file, as Python after its name: '["net"].state_dict()'.

    The largest dictionary of arrays, or else the first module, at most `most` dictionaries deep; "" where
    there is neither, and where the file is that dictionary itself.
    """
    found: list[tuple[int, str]] = []
    todo: list[tuple[str, Any]] = [("", tree.root)]
    for _ in range(1000):
        if not todo:
            break
        path, node = todo.pop(0)
        if isinstance(node, Call) and _has_modules(node):
            found.append((1, f"{path}.state_dict()"))
            continue
        pairs = _pairs(node)
        n = sum(_is_array(value) for _, value in pairs)
        if n:
            found.append((1 + n, path))
        if path.count("[") < most:
            todo += [(f'{path}["{key}"]', value) for key, value in pairs if _is_plain(key)]
    return max(found, key=lambda item: item[0], default=(0, ""))[1]


def _pairs(node: Any) -> list[tuple[Any, Any]]:
    if isinstance(node, Mapping):
        return node.pairs
    return node.pairs if isinstance(node, Call) and node.function.name in torch_names.MAPPINGS else []


def _has_modules(node: Call) -> bool:
    """An instance of torch.nn.Module has its parts in `_modules`."""
    return any(isinstance(key, str) and key == "_modules" for key, _ in _pairs(node.state))


def _is_array(node: Any) -> bool:
    if not isinstance(node, Call):
        return False
    name = node.function.name
    return (
        name.startswith(("torch._utils._rebuild", "torch.storage._load")) or name in torch_names.NUMPY_ARRAYS
    )


def _is_plain(key: Any) -> bool:
    return isinstance(key, str) and key.isprintable() and '"' not in key and "\\" not in key and len(key) < 80
