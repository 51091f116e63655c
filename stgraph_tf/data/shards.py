"""TFRecord shards: named, filled, and examined where one is damaged.

A TFRecord file is a row of records: length (uint64), its checksum (uint32), data, its checksum. The
checksums are CRC-32C, masked. `scan` reads them without TensorFlow's reader, which says that a
record is damaged, but not where, and takes a file that is torn inside a record's length for whole.
"""

import hashlib
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import google_crc32c
import tensorflow as tf

from stgraph_tf import files

_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")


class Record(NamedTuple):
    """A whole record: its place in the file, in bytes and in records before it, and its data."""

    offset: int
    index: int  # type: ignore[assignment]
    data: bytes


class Damage(NamedTuple):
    """A damaged record: where it begins, records before it, what is wrong.

    Where its length is damaged, nobody knows where the next record begins: the rest is lost.
    """

    path: str
    offset: int
    index: int  # type: ignore[assignment]
    reason: str
    rest_is_lost: bool = False

    def __str__(self) -> str:
        return (
            f"{self.path} is damaged: the record at byte {self.offset} "
            f"(number {self.index}, counted from 0): {self.reason}"
        )


class DamagedShardError(ValueError):
    """A record is torn or its bytes have changed; `damage` says which."""

    def __init__(self, damage: Damage):
        super().__init__(str(damage))
        self.damage = damage


def shard_name(split: str, index: int, num_shards: int) -> str:
    """The file name of a shard: `train-00003-of-00008.tfrecord`."""
    return f"{split}-{index:05d}-of-{num_shards:05d}.tfrecord"


def deal(ids: Iterable[str], num_shards: int) -> list[list[str]]:
    """Deals videos to shards: well mixed, evenly, and for the same ids always in the same way.

    Returns:
        The ids of each shard, in the order in which they are to be written.

    Raises:
        ValueError: `num_shards` is below 1.
    """
    if num_shards < 1:
        raise ValueError(f"num_shards must be at least 1. Received: num_shards={num_shards}")
    shuffled = sorted(ids, key=lambda name: (hashlib.sha256(name.encode()).digest(), name))
    return [shuffled[index::num_shards] for index in range(num_shards)]


def write(path: str, records: Iterable[bytes]) -> None:
    """Writes a shard; it appears under its name when it is whole, or not at all."""
    with files.published(path) as temporary, tf.io.TFRecordWriter(temporary) as writer:
        for record in records:
            writer.write(record)


def framed(size: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A record as it stands in a shard, for who has its `size` bytes piece by piece."""
    length, checksum = _LENGTH.pack(size), 0
    yield length + _CHECKSUM.pack(_masked_crc(length))
    for chunk in chunks:
        checksum = google_crc32c.extend(checksum, chunk)
        yield chunk
    yield _CHECKSUM.pack(_masked(checksum))


def scan(path: str) -> Iterator[Record]:
    """Yields a shard's records, checking every checksum.

    Raises:
        DamagedShardError: at the first damaged record. What follows it cannot be trusted.
    """
    for record in salvage(path):
        if isinstance(record, Damage):
            raise DamagedShardError(record)
        yield record


def salvage(path: str) -> Iterator[Record | Damage]:
    """Yields a shard's records, whole and damaged ones, as far as they can be told apart."""
    offset, index = 0, 0
    with tf.io.gfile.GFile(path, "rb") as file:
        while head := file.read(_LENGTH.size + _CHECKSUM.size):
            try:
                length = _length(head)
            except ValueError as error:
                yield Damage(path, offset, index, str(error), rest_is_lost=True)
                return
            try:
                yield Record(offset, index, _data(file, length))
            except ValueError as error:
                yield Damage(path, offset, index, str(error))
            offset += len(head) + length + _CHECKSUM.size
            index += 1


def read_at(path: str, offset: int) -> bytes:
    """The data of the record that begins at byte `offset`.

    Raises:
        DamagedShardError: it is damaged; its number is not known and given as -1.
    """
    with tf.io.gfile.GFile(path, "rb") as file:
        file.seek(offset)
        try:
            return _data(file, _length(file.read(_LENGTH.size + _CHECKSUM.size)))
        except ValueError as error:
            raise DamagedShardError(Damage(path, offset, -1, str(error))) from None


def find_damage(path: str) -> Damage | None:
    """The first damaged record of a shard, or None if all are whole."""
    try:
        for _ in scan(path):
            pass
    except DamagedShardError as error:
        return error.damage
    return None


def describe_damage(paths: Sequence[str]) -> str | None:
    """One sentence that names the first damaged shard and record, or None if all are whole.

    A shard that is missing or cannot be opened counts as damaged.
    """
    for path in paths:
        try:
            damage = find_damage(os.fspath(path))
        except tf.errors.OpError as error:
            return f"{path} cannot be read: {error.message}"
        if damage:
            return str(DamagedShardError(damage))
    return None


def _length(head: bytes) -> int:
    if len(head) < _LENGTH.size + _CHECKSUM.size:
        raise ValueError("the file ends inside its length")
    if _masked_crc(head[: _LENGTH.size]) != _CHECKSUM.unpack_from(head, _LENGTH.size)[0]:
        raise ValueError("its length does not match the length's checksum")
    return _LENGTH.unpack_from(head)[0]


def _data(file: tf.io.gfile.GFile, length: int) -> bytes:
    body = file.read(length + _CHECKSUM.size)
    if len(body) < length + _CHECKSUM.size:
        raise ValueError(f"the file ends inside it: {len(body)} of {length + 4} bytes are there")
    data = body[:length]
    if _masked_crc(data) != _CHECKSUM.unpack_from(body, length)[0]:
        raise ValueError(f"its {length} bytes do not match their checksum")
    return data


def _masked_crc(data: bytes) -> int:
    return _masked(google_crc32c.value(data))


def _masked(checksum: int) -> int:
    """A CRC-32C as it stands in the file: a checksum of data that holds checksums is weak."""
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF
