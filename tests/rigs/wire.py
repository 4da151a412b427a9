"""PostgreSQL's protocol, as much of it as somebody needs who stands between client and server."""

from collections.abc import Callable, Mapping

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102
PROTOCOL_3 = 3 << 16

ASK_PASSWORD = b"R" + (8).to_bytes(4, "big") + (3).to_bytes(4, "big")
"""AuthenticationCleartextPassword."""


def message(kind: bytes, body: bytes) -> bytes:
    """One message: its letter, its length, its body."""
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def startup(parameters: Mapping[str, str]) -> bytes:
    """The client's first message to a server."""
    body = PROTOCOL_3.to_bytes(4, "big")
    for name, value in parameters.items():
        body += name.encode() + b"\0" + value.encode() + b"\0"
    return (len(body) + 5).to_bytes(4, "big") + body + b"\0"


def startup_parameters(body: bytes) -> dict[str, str]:
    """What a client's first message says, behind its version."""
    parts = [part.decode() for part in body.split(b"\0")]
    # An empty name ends them.
    return {name: value for name, value in zip(parts[0::2], parts[1::2], strict=False) if name}


def error(severity: str, sqlstate: str, text: str) -> bytes:
    """An ErrorResponse."""
    fields = {"S": severity, "V": severity, "C": sqlstate, "M": text}
    body = b"".join(name.encode() + value.encode() + b"\0" for name, value in fields.items())
    return message(b"E", body + b"\0")


def error_field(body: bytes, name: bytes) -> str:
    """A field of an ErrorResponse's body, "" where it has none: `C` the SQLSTATE, `M` the text."""
    for part in body.split(b"\0"):
        if part[:1] == name:
            return part[1:].decode(errors="replace")
    return ""


class Frames:
    """Cuts a stream into messages and hands the interesting ones to `look`; the rest flows through.

    `look` gives what is to be passed on instead of a message, or None where that must wait: then
    nothing more is taken until `again`.
    """

    def __init__(self, interesting: bytes, look: Callable[[bytes], bytes | None]) -> None:
        self._interesting = frozenset(interesting)
        self._look = look
        self._left = b""
        self._skip = 0

    @property
    def between_messages(self) -> bool:
        """Whether all that was passed on ends with a whole message."""
        return self._skip == 0

    def take(self, data: bytes) -> bytes:
        """More of the stream; gives what may be passed on now."""
        data = self._left + data if self._left else data
        passed: list[bytes] = []
        start = position = 0
        size = len(data)
        while position < size:
            if self._skip:
                step = min(self._skip, size - position)
                self._skip -= step
                position += step
                continue
            if size - position < 5:
                break
            length = int.from_bytes(data[position + 1 : position + 5], "big") + 1
            if data[position] not in self._interesting:
                self._skip = length
                continue
            if size - position < length:
                break
            whole = data[position : position + length]
            instead = self._look(whole)
            if instead is None:
                break
            position += length
            if instead is not whole:
                passed += (data[start : position - length], instead)
                start = position
        passed.append(data[start:position])
        self._left = data[position:]
        return b"".join(passed)

    def again(self) -> bytes:
        """Go on with what was left when `look` said to wait."""
        return self.take(b"")
