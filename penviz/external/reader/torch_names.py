"""The names that the pickle of a checkpoint may ask for: each is data, or a call whose meaning is known."""

from __future__ import annotations

from penviz.external.reader.stored import ITEM_BYTES

_STORAGES = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
}

STORAGE_DTYPES = {
    **{
        f"{module}.{name}Storage": _STORAGES[name] for module in ("torch", "torch.cuda") for name in _STORAGES
    },
    "torch.storage.UntypedStorage": "uint8",
    "torch.UntypedStorage": "uint8",
}
"""Storage class -> dtype of its elements; an untyped storage counts bytes."""

DTYPES = {f"torch.{name}": name for name in ITEM_BYTES}

TENSOR_CALLS = {
    "torch._utils._rebuild_tensor": 4,
    "torch._utils._rebuild_tensor_v2": 6,
    "torch._utils._rebuild_tensor_v3": 7,
}
"""Function that makes a tensor from a storage -> how many arguments it needs."""

WRAPPING_CALLS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
"""Functions whose first argument is a tensor, and whose result is that tensor."""

SUBCLASS_CALL = "torch._tensor._rebuild_from_type_v2"
"""A call of another function, then a change of the tensor's class."""

TENSOR_CLASSES = ("torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer")

MAPPINGS = ("collections.OrderedDict", "collections.defaultdict", "collections.Counter", "builtins.dict")

NUMPY_SCALARS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
NUMPY_ARRAYS = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")

INERT_CALLS = (
    "argparse.Namespace",
    "torch.Size",
    "torch.device",
    "torch.serialization._get_layout",
    "_codecs.encode",
    "numpy.dtype",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath",
    *(
        f"builtins.{name}"
        for name in ("set", "frozenset", "bytearray", "bytes", "complex", "list", "slice", "range")
    ),
)
"""Calls that make plain data."""

COLLECTIONS = ("builtins.set", "builtins.list")
"""Calls whose result may be given items."""

WITH_STATE = (*MAPPINGS, *NUMPY_ARRAYS, "numpy.dtype", "argparse.Namespace")
"""Calls whose result may be given a state; a tensor's would replace its storage."""

CALLS = frozenset(
    (*TENSOR_CALLS, *WRAPPING_CALLS, SUBCLASS_CALL, *MAPPINGS, *NUMPY_SCALARS, *NUMPY_ARRAYS, *INERT_CALLS)
)
"""All names that a pickle may call."""

ALLOWED = CALLS | frozenset(
    (
        *STORAGE_DTYPES,
        *DTYPES,
        *TENSOR_CLASSES,
        "torch.storage.TypedStorage",
        "numpy.ndarray",
        *(f"builtins.{name}" for name in ("int", "float", "str", "bool", "tuple")),
        *(
            f"numpy.dtypes.{kind}DType"
            for kind in ("Float64", "Float32", "Float16", "Int64", "Int32", "Bool")
        ),
    )
)
"""All names that a pickle may ask for; with any other the file is refused."""
