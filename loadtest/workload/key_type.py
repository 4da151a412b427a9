"""The types of keys."""

from enum import StrEnum


class KeyType(StrEnum):
    """A kind of primary key."""

    INT = "int"  # sequential, from 1
    UUID = "uuid"  # random (version 4)
    UUID7 = "uuid7"  # time-ordered (version 7), one millisecond after another
