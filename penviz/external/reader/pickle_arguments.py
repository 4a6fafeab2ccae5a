"""What follows an opcode in a pickle: numbers, lines and counted texts, each read within its limit."""

from __future__ import annotations

import re
import struct

from penviz.external.reader.limits import Limits
from penviz.external.reader.report import Refused

DAMAGED = "The pickle in this file is damaged, or made so that readers disagree on it"
_INTEGER = re.compile(rb"[+-]?[0-9]+\Z")
_FLOAT = re.compile(rb"[+-]?(nan|inf|[0-9]+\.?[0-9]*(e[+-]?[0-9]{1,4})?)\Z", re.IGNORECASE)


class Arguments:
    """A place in a pickle and what is read there; each method moves on, or raises Refused.

    Attributes:
        data: the whole pickle; at: the byte that is read next.
    """

    def __init__(self, data: bytes, limits: Limits, at: int = 0):
        self.data = data
        self.limits = limits
        self.at = at

    def damaged(self, why: str) -> Refused:
        """The error for a pickle that is not understood."""
        return Refused(f"{DAMAGED}: {why}.")

    def take(self, n: int) -> bytes:
        """The next n bytes."""
        if n > len(self.data) - self.at:
            raise self.damaged("it is cut short")
        self.at += n
        return self.data[self.at - n : self.at]

    def number(self, code: str) -> int:
        """An integer as of the format of struct."""
        return int(struct.unpack(code, self.take(struct.calcsize(code)))[0])

    def line(self) -> bytes:
        """Up to the end of the line."""
        end = self.data.find(b"\n", self.at, self.at + self.limits.text_chars)
        if end < 0:
            raise self.damaged("a line in it does not end")
        text, self.at = self.data[self.at : end], end + 1
        return text

    def counted(self, code: str) -> bytes:
        """As many bytes as the number before them says."""
        length = self.number(code)
        if not 0 <= length <= self.limits.text_chars:
            raise Refused(f"A text in the pickle of this file claims {length:,} bytes.")
        return self.take(length)

    def long(self, code: str) -> int:
        """An integer of as many bytes as the number before it says."""
        length = self.number(code)
        if not 0 <= length <= self.limits.integer_digits:
            raise Refused(f"An integer in the pickle of this file claims {length:,} bytes.")
        return int.from_bytes(self.take(length), "little", signed=True)

    def text(self, raw: bytes) -> str:
        """Bytes as UTF-8."""
        try:
            return raw.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise self.damaged("a text in it is not UTF-8") from None

    def integer(self, text: bytes) -> int:
        """Decimal digits as an integer."""
        if not _INTEGER.match(text) or len(text) > self.limits.integer_digits:
            raise self.damaged("an integer in it is none")
        return int(text)

    # Lines of protocol 0

    def old_integer(self) -> int:
        """An integer, or a truth value written 00 or 01."""
        text = self.line()
        return text == b"01" if text in (b"00", b"01") else self.integer(text)

    def old_float(self) -> float:
        """A floating-point number."""
        text = self.line()
        if len(text) > 64 or not _FLOAT.match(text):
            raise self.damaged("a number in it is none")
        return float(text)

    def old_string(self) -> str:
        """A text in quotes, without escapes."""
        text = self.line()
        if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in (b"'", b'"') or b"\\" in text:
            raise self.damaged("a text in it is not quoted plainly")
        return text[1:-1].decode("latin-1")

    def old_unicode(self) -> str:
        """A text whose other characters are escaped."""
        try:
            return self.line().decode("raw-unicode-escape")
        except UnicodeDecodeError:
            raise self.damaged("a text in it is not Unicode") from None
