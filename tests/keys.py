"""Keys as people write them, to hold files and tables against."""

from loadtest.workload.keyspace import KeyType


def key_text(key_type: KeyType, key: bytes) -> str:
    """A key as a person writes it: decimal digits, or a UUID's five groups."""
    if key_type is KeyType.INT:
        return str(int.from_bytes(key, "big", signed=True))
    text = key.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
