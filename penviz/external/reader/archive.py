"""A zip file read so that no two readers can disagree on what it holds.

Every byte of the file must be accounted for: the records tile it from its first byte to the central
directory, each local header says what the central one says, and the end record ends the file. Format:
PKWARE's APPNOTE 6.3.10, sections 4.3 (layout), 4.4 (fields) and 4.5.3 (the 64-bit extra field).
"""

from __future__ import annotations

import struct
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from penviz.external.reader.limits import Limits
from penviz.external.reader.next_steps import NextStep
from penviz.external.reader.report import Refused, printable

STORED, DEFLATED = 0, 8
LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
END64, LOCATOR64, DESCRIPTOR = b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08"
ENCRYPTED, DESCRIBED, UTF8, LEVEL = 0x1, 0x8, 0x800, 0x6
"""Bits of the general purpose flag (4.4.4); the two level bits say how hard deflate tried."""

REZIP = "Write it again with a common tool, without encryption and with nothing before or behind the archive."
AGAIN = "Copy or download it again."
NOT_ONE = "This zip file is damaged, or made so that two readers see different content"


@dataclass(frozen=True)
class Member:
    """A file in the archive.

    Attributes:
        name: its path; position: of its data in the file; stored: bytes there; size: bytes when inflated.
        method: STORED or DEFLATED; crc: CRC-32 of the inflated bytes; flags: the general purpose flag.
        header: where its local header begins.
    """

    name: str
    position: int
    stored: int
    size: int
    method: int
    crc: int
    flags: int
    header: int

    @property
    def is_folder(self) -> bool:
        """A name that ends in a slash."""
        return self.name.endswith("/")


@dataclass(frozen=True)
class Archive:
    """The members of a zip by name, in the order of their data."""

    file: BinaryIO
    members: dict[str, Member]
    limits: Limits

    @classmethod
    def read(cls, file: BinaryIO, limits: Limits) -> Archive:
        """Read and check the structure of a zip.

        Raises:
            Refused: damage, a claim over a limit, encryption, names that collide or leave the archive,
                anything on which two readers could disagree.
        """
        n_bytes = file.seek(0, 2)
        start, length, count = _end_record(file, n_bytes)
        if count > limits.n_members:
            raise Refused(f"The zip claims {count:,} members; penviz reads up to {limits.n_members:,}.")
        if length > limits.directory_bytes:
            raise Refused(f"The directory of the zip claims {length:,} bytes, more than it may have.")
        members = _central_directory(_slice(file, start, length), count, limits)
        members.sort(key=lambda m: m.header)
        found = [
            _check_local(file, member, members[i + 1].header if i + 1 < len(members) else start)
            for i, member in enumerate(members)
        ]
        if (members[0].header if members else start) != 0:
            raise Refused(f"{NOT_ONE}: bytes stand before the first member.", REZIP)
        _check_names(found)
        if sum(m.size for m in found) > limits.inflated_bytes:
            raise Refused(f"The members of the zip hold more than {limits.inflated_bytes / 2**30:g} GiB.")
        for m in found:
            if m.size > limits.inflation_free_bytes and m.size > limits.inflation_ratio * m.stored:
                raise Refused(
                    f"{printable(m.name)} in the zip inflates {m.size / max(m.stored, 1):,.0f} fold."
                )
        return cls(file, {m.name: m for m in found}, limits)

    def require_stored(self, what: str, advice: NextStep) -> None:
        """Refuse an archive with a compressed member."""
        for member in self.members.values():
            if member.method != STORED:
                raise Refused(
                    f"{printable(member.name)} is compressed in the zip, which {what} never is.", advice
                )

    def chunks(self, member: Member) -> Iterator[bytes]:
        """The bytes of a member, inflated, a chunk at a time; never more than it declares.

        Raises:
            Refused: data that do not inflate, another length or another checksum than declared.
        """
        done, crc = 0, 0
        for chunk in self._raw(member) if member.method == STORED else self._inflated(member):
            done += len(chunk)
            if done > member.size:
                raise Refused(f"{printable(member.name)} in the zip holds more than it declares.")
            crc = zlib.crc32(chunk, crc)
            yield chunk
        if done != member.size:
            raise Refused(
                f"{printable(member.name)} in the zip holds less than it declares: the file is damaged."
            )
        if crc != member.crc and not self.is_unchecked:
            raise Refused(
                f"The checksum of {printable(member.name)} in the zip is wrong: the file is damaged."
            )

    def content(self, member: Member, most: int) -> bytes:
        """All bytes of a member of at most `most` bytes.

        Raises:
            Refused: a longer member, and what chunks raises.
        """
        if member.size > most:
            raise Refused(
                f"{printable(member.name)} in the zip has {member.size:,} bytes; at most {most:,} are read."
            )
        return b"".join(self.chunks(member))

    @property
    def is_unchecked(self) -> bool:
        """All checksums are zero: torch.serialization.set_crc32_options(False) writes such files."""
        return all(m.crc == 0 and m.method == STORED for m in self.members.values())

    def _raw(self, member: Member) -> Iterator[bytes]:
        at, left = member.position, member.stored
        while left:
            self.file.seek(at)
            chunk = self.file.read(min(left, self.limits.chunk_bytes))
            if not chunk:
                return
            at, left = at + len(chunk), left - len(chunk)
            yield chunk

    def _inflated(self, member: Member) -> Iterator[bytes]:
        inflater = zlib.decompressobj(-15)
        try:
            for chunk in self._raw(member):
                while chunk:
                    out = inflater.decompress(chunk, self.limits.chunk_bytes)
                    chunk = inflater.unconsumed_tail
                    if out:
                        yield out
                    if inflater.unused_data:
                        raise Refused(f"{NOT_ONE}: bytes stand behind the data of {printable(member.name)}.")
            if rest := inflater.flush():
                yield rest
        except zlib.error as error:
            raise Refused(
                f"{printable(member.name)} in the zip cannot be inflated: the file is damaged."
            ) from error
        if not inflater.eof:
            raise Refused(f"{printable(member.name)} in the zip is cut short.")


def _slice(file: BinaryIO, at: int, length: int) -> bytes:
    file.seek(at)
    data = file.read(length)
    if len(data) != length:
        raise Refused("The zip file is cut short.", AGAIN)
    return data


def _end_record(file: BinaryIO, n_bytes: int) -> tuple[int, int, int]:
    """Start and length of the central directory, and its number of entries (4.3.14 to 4.3.16)."""
    if n_bytes < 22 or (end := _slice(file, n_bytes - 22, 22))[:4] != END:
        raise Refused("The zip file is cut short, or something stands behind its end.", AGAIN)
    disk, first_disk, here, count, length, start, comment = struct.unpack("<4HIIH", end[4:])
    behind = n_bytes - 22
    if disk or first_disk or comment or here != count:
        raise Refused(f"{NOT_ONE}: its end record is wrong.", REZIP)
    # An archive has the 64-bit records or not: one that has them is read by them alone, and they must agree.
    if n_bytes >= 22 + 20 and (locator := _slice(file, n_bytes - 42, 20))[:4] == LOCATOR64:
        disk, at, disks = struct.unpack("<IQI", locator[4:])
        if disk or disks != 1 or at != n_bytes - 42 - 56:
            raise Refused(f"{NOT_ONE}: its 64-bit end record is wrong.", REZIP)
        record = _slice(file, at, 56)
        size, _, _, disk, first_disk, here64, count64, length64, start64 = struct.unpack(
            "<QHHIIQQQQ", record[4:]
        )
        if record[:4] != END64 or size != 44 or disk or first_disk or here64 != count64:
            raise Refused(f"{NOT_ONE}: its 64-bit end record is wrong.", REZIP)
        for short, long, top in (
            (count, count64, 0xFFFF),
            (length, length64, 2**32 - 1),
            (start, start64, 2**32 - 1),
        ):
            if short not in (long, top):
                raise Refused(f"{NOT_ONE}: its two end records differ.", REZIP)
        start, length, count, behind = start64, length64, count64, at
    if start + length != behind:
        raise Refused(f"{NOT_ONE}: its directory does not end where the end record begins.", REZIP)
    return start, length, count


def _central_directory(data: bytes, count: int, limits: Limits) -> list[Member]:
    members, at = [], 0
    for _ in range(count):
        if data[at : at + 4] != CENTRAL or len(data) < at + 46:
            raise Refused(f"{NOT_ONE}: its directory ends early.", REZIP)
        (_, _, flags, method, _, _, crc, stored, size, n_name, n_extra, n_comment, disk, _, _, header) = (
            struct.unpack("<6H3I5H2I", data[at + 4 : at + 46])
        )
        end = at + 46 + n_name + n_extra + n_comment
        if len(data) < end or n_name > limits.name_bytes:
            raise Refused(f"{NOT_ONE}: a name in its directory is too long.", REZIP)
        name = _name(data[at + 46 : at + 46 + n_name], flags)
        long = _long_fields(data[at + 46 + n_name : end - n_comment], (size, stored, header), disk)
        size, stored, header = long
        _check_flags(name, flags, method)
        if method == STORED and stored != size:
            raise Refused(f"{NOT_ONE}: {printable(name)} has two lengths.", REZIP)
        members.append(Member(name, 0, stored, size, method, crc, flags, header))
        at = end
    if at != len(data):
        raise Refused(f"{NOT_ONE}: its directory is longer than its entries.", REZIP)
    return members


def _name(raw: bytes, flags: int) -> str:
    try:
        return raw.decode("utf-8" if flags & UTF8 else "ascii")
    except UnicodeDecodeError:
        if flags & UTF8:
            raise Refused(f"{NOT_ONE}: a name in it is not UTF-8.", REZIP) from None
        return raw.decode("cp437")


def _long_fields(extra: bytes, values: tuple[int, int, int], disk: int) -> tuple[int, int, int]:
    """Size, stored size and position, from the 64-bit extra field where the 32-bit field is full (4.5.3)."""
    found: bytes | None = None
    at = 0
    while at < len(extra):
        if at + 4 > len(extra):
            break  # fewer than four bytes of padding, as some tools leave
        kind, length = struct.unpack("<HH", extra[at : at + 4])
        if at + 4 + length > len(extra):
            raise Refused(f"{NOT_ONE}: an extra field in it is too long.", REZIP)
        if kind == 1:
            if found is not None:
                raise Refused(f"{NOT_ONE}: it gives a length twice.", REZIP)
            found = extra[at + 4 : at + 4 + length]
        at += 4 + length
    result = []
    for value in values:
        if value == 2**32 - 1 and found is not None:
            if len(found) < 8:
                raise Refused(f"{NOT_ONE}: a 64-bit length in it is missing.", REZIP)
            value, found = struct.unpack("<Q", found[:8])[0], found[8:]
        result.append(value)
    if disk:
        raise Refused(f"{NOT_ONE}: a member is said to lie on another disk.", REZIP)
    return result[0], result[1], result[2]


def _check_flags(name: str, flags: int, method: int) -> None:
    if flags & ENCRYPTED or flags & 0x2040:  # 0x40 strong encryption, 0x2000 masked headers
        raise Refused(f"{printable(name)} in the zip is encrypted.", REZIP)
    if method not in (STORED, DEFLATED):
        raise Refused(
            f"{printable(name)} in the zip is packed by method {method}, which penviz does not read.", REZIP
        )
    if flags & ~(DESCRIBED | UTF8 | LEVEL):
        raise Refused(f"{printable(name)} in the zip has unknown flags ({flags:#06x}).", REZIP)


def _check_local(file: BinaryIO, member: Member, following: int) -> Member:
    """Compare the local header with the directory; the record must end where the next one begins."""
    if following - member.header < 30:
        raise Refused(f"{NOT_ONE}: its members overlap.", REZIP)
    head = _slice(file, member.header, 30)
    _, flags, method, _, _, crc, stored, size, n_name, n_extra = struct.unpack("<5H3I2H", head[4:])
    names = _slice(file, member.header + 30, min(n_name + n_extra, following - member.header - 30))
    position = member.header + 30 + n_name + n_extra
    if head[:4] != LOCAL or position + member.stored > following:
        raise Refused(f"{NOT_ONE}: its members overlap.", REZIP)
    name = _name(names[:n_name], flags)
    size, stored, _ = _long_fields(names[n_name:], (size, stored, 0), 0)
    described = bool(flags & DESCRIBED)
    told = (crc, stored, size)
    truth = (member.crc, member.stored, member.size)
    same = (name, flags, method) == (member.name, member.flags, member.method)
    if not same or (told != truth and not (described and told == (0, 0, 0))):
        raise Refused(f"{NOT_ONE}: {printable(member.name)} is described in two ways.", REZIP)
    behind = _slice(file, position + member.stored, min(following - position - member.stored, 25))
    if behind not in (_descriptors(truth) if described else (b"",)):
        raise Refused(f"{NOT_ONE}: bytes stand behind {printable(member.name)}.", REZIP)
    return replace(member, position=position)


def _descriptors(truth: tuple[int, int, int]) -> tuple[bytes, ...]:
    """The forms a data descriptor may have (4.3.9): 64-bit lengths or 32, with a signature or without."""
    forms = [struct.pack("<IQQ", *truth)]
    if max(truth) < 2**32:
        forms.append(struct.pack("<III", *truth))
    return tuple(start + form for form in forms for start in (DESCRIPTOR, b""))


def _check_names(members: list[Member]) -> None:
    """Plain relative names, each once, also on a file system that does not tell upper from lower case."""
    seen: set[str] = set()
    parents: set[str] = set()
    for member in members:
        name = member.name
        parts = name.removesuffix("/").split("/")
        if (
            not name.isprintable()
            or "\\" in name
            or ":" in parts[0]
            or any(p in ("", ".", "..") for p in parts)
        ):
            raise Refused(
                f"The zip names a path that leaves it or is no path: {printable(name, 80)!r}.", REZIP
            )
        folded = unicodedata.normalize("NFC", name.removesuffix("/")).casefold()
        if folded in seen:
            raise Refused(f"Two members of the zip have the name {printable(name, 80)!r}, up to case.", REZIP)
        seen.add(folded)
        if member.is_folder and member.size:
            raise Refused(f"{NOT_ONE}: a folder in it has content.", REZIP)
        parents |= {folded[:i] for i, c in enumerate(folded) if c == "/"}
    for member in members:
        if not member.is_folder and unicodedata.normalize("NFC", member.name).casefold() in parents:
            raise Refused(f"{printable(member.name, 80)!r} in the zip is a file and a folder.", REZIP)
