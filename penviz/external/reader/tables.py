"""Tables, as csv or parquet: their columns and the number of their rows."""

from __future__ import annotations

import csv
import struct
from collections.abc import Callable
from io import BufferedReader
from typing import Any

from penviz.external.reader.limits import Limits
from penviz.external.reader.report import Refused, TensorEntry, printable

PARQUET_TYPES = ("bool", "int32", "int64", "int96", "float32", "float64", "bytes", "bytes")
"""Physical types by their number in parquet.thrift."""
_BYTES = {"bool": 1, "int32": 4, "int64": 8, "int96": 12, "float32": 4, "float64": 8}


def read_csv(file: BufferedReader, limits: Limits) -> dict[str, Any]:
    """Fields of the report of a text table with commas, semicolons or tabs.

    Raises:
        Refused: lines without end, too many columns, bytes that are no text.
    """
    file.seek(0)
    raw = [file.readline(limits.line_bytes + 1) for _ in range(2)]
    if len(raw[0]) > limits.line_bytes or len(raw[1]) > limits.line_bytes:
        raise Refused(f"A line of the table is longer than {limits.line_bytes:,} bytes.")
    try:
        first, second = (line.decode("utf-8-sig").rstrip("\r\n") for line in raw)
    except UnicodeDecodeError:
        raise Refused("The table is not UTF-8 text.") from None
    sign = max(",;\t", key=first.count)
    if first.count(sign) >= limits.n_columns:
        raise Refused(f"The table has more than {limits.n_columns:,} columns.")
    try:
        rows = list(csv.reader([first, second], delimiter=sign))
    except csv.Error:
        raise Refused("The first lines of the table are damaged.") from None
    names, values = [*rows, [], []][:2]
    has_names = not all(map(_is_number, names))
    file.seek(0)
    n_lines, last = 0, b""
    while chunk := file.read(limits.chunk_bytes):
        n_lines, last = n_lines + chunk.count(b"\n"), chunk[-1:]
    n_rows = max(n_lines + (last != b"\n") - has_names, 0)
    values = values if has_names else names
    columns = [
        TensorEntry(
            key := printable(name, 80) if has_names and name else f"column {i + 1}",
            (n_rows,),
            "float64" if i < len(values) and _is_number(values[i]) else "text",
            0,
            key,
        )
        for i, name in enumerate(names)
    ]
    return {"tensors": tuple(columns)}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_parquet(file: BufferedReader, limits: Limits) -> dict[str, Any]:
    """Fields of the report of a parquet file, from the first three fields of its footer (parquet.thrift).

    Raises:
        Refused: a footer that is too long or damaged, too many columns.
    """
    n_bytes = file.seek(0, 2)
    if n_bytes < 12:
        raise Refused("The parquet file is cut short.")
    file.seek(n_bytes - 8)
    length, magic = struct.unpack("<I4s", file.read(8))
    if magic != b"PAR1" or length > n_bytes - 12:
        raise Refused("The parquet file is cut short or damaged.")
    if length > limits.header_bytes:
        raise Refused(f"The footer of the parquet file claims {length:,} bytes.")
    file.seek(n_bytes - 8 - length)
    reader = _Thrift(file.read(length))
    columns: list[TensorEntry] = []
    names: list[tuple[str, str]] = []
    n_rows = -1
    for field, kind in reader.fields():
        if field == 2 and kind == 9:
            names = [leaf for leaf in reader.items(limits.n_columns, _schema_element) if leaf[1]]
        elif field == 3 and kind == 6:
            n_rows = reader.zigzag()
            break
        else:
            reader.skip(kind)
    if n_rows < 0:
        raise Refused("The footer of the parquet file is damaged.")
    for name, dtype in names:
        key = printable(name, 80)
        columns.append(TensorEntry(key, (n_rows,), dtype, _BYTES.get(dtype, 0) * n_rows, key))
    return {"tensors": tuple(columns)}


def _schema_element(reader: _Thrift) -> tuple[str, str]:
    """Name and type of a column; a group has no type."""
    name = dtype = ""
    for field, kind in reader.fields():
        if field == 1 and kind == 5:
            number = reader.zigzag()
            if not 0 <= number < len(PARQUET_TYPES):
                raise Refused("The footer of the parquet file is damaged.")
            dtype = PARQUET_TYPES[number]
        elif field == 4 and kind == 8:
            name = reader.binary().decode("utf-8", "replace")
        else:
            reader.skip(kind)
    return name, dtype


class _Thrift:
    """Thrift's compact protocol (thrift-compact-protocol.md): numbers of 7 bits a byte, types of 4 bits."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise Refused("The footer of the parquet file is damaged.")
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise Refused("The footer of the parquet file is damaged.")

    def zigzag(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def binary(self) -> bytes:
        length = self.varint()
        if length > len(self.data) - self.at:
            raise Refused("The footer of the parquet file is damaged.")
        self.at += length
        return self.data[self.at - length : self.at]

    def fields(self) -> Any:
        """(number, type) of each field of a struct; its value is to be read before the next."""
        number = 0
        while head := self.byte():
            number = number + (head >> 4) if head >> 4 else self.zigzag()
            yield number, head & 0x0F

    def items(self, most: int, read: Callable[[_Thrift], Any]) -> list[Any]:
        head = self.byte()
        n = head >> 4 if head >> 4 != 15 else self.varint()
        if n > most or head & 0x0F != 12:
            raise Refused("The parquet file has too many columns, or its footer is damaged.")
        return [read(self) for _ in range(n)]

    def skip(self, kind: int, depth: int = 0) -> None:
        if depth > 16:
            raise Refused("The footer of the parquet file is damaged.")
        if kind in (1, 2):
            return
        if kind == 3:
            self.byte()
        elif kind in (4, 5, 6):
            self.varint()
        elif kind == 7:
            self.at += 8
        elif kind == 8:
            self.binary()
        elif kind in (9, 10):
            head = self.byte()
            for _ in range(head >> 4 if head >> 4 != 15 else self.varint()):
                self.skip_item(head & 0x0F, depth)
        elif kind == 12:
            for _, inner in self.fields():
                self.skip(inner, depth + 1)
        else:
            raise Refused("The footer of the parquet file is damaged.")

    def skip_item(self, kind: int, depth: int) -> None:
        """An item of a list; a truth value takes a byte there, and none in a struct."""
        if kind in (1, 2):
            self.byte()
        else:
            self.skip(kind, depth + 1)
