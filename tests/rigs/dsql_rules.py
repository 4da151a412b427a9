"""What Aurora DSQL refuses, as far as it is known: the conscience of a stand-in.

A kind of statement that is not known to be accepted is refused, so what passes here is a little less
than what DSQL takes. Nothing is parsed in earnest: a statement is read as words, and what stands in
literals, comments and quotes does not count.

How a stand-in uses it:

- one `DsqlRules` for each session; every statement that is *executed* goes through `refuse`, in
  order: the text of a Query message, and the text behind each Execute. A refusal is answered as an
  error with its `sqlstate`, and the statement goes no further.
- every text that is *prepared* (Parse) goes through `forbidden`, which knows no transaction: a BEGIN
  is prepared once and run many times.
- `CREATE INDEX ASYNC` and `sys.jobs` are not in PostgreSQL. `dsql_catalogue.install(connection)`
  makes the schema `sys`; `dsql_catalogue.translate(sql)` turns an accepted `CREATE INDEX ASYNC` into
  the SELECT that builds the index there and answers the job's id, and leaves all else as it is.
- psycopg prepares what it runs often and clears that away with DEALLOCATE, which is refused here
  as it is promised nowhere: connections are opened with `prepare_threshold=None`.
- a session here is never told that it failed: PostgreSQL itself refuses what follows an error.
"""

import re
from collections.abc import Callable, Sequence
from enum import Enum, auto
from itertools import pairwise
from typing import NamedTuple

FEATURE = "0A000"
SYNTAX = "42601"
ACTIVE = "25001"
UNDEFINED_OBJECT = "42704"


class Refusal(str):
    """Why a statement is refused, with the SQLSTATE to answer."""

    __slots__ = ("sqlstate",)
    sqlstate: str

    def __new__(cls, reason: str, sqlstate: str = FEATURE) -> "Refusal":
        found = super().__new__(cls, reason)
        found.sqlstate = sqlstate
        return found


class Kind(Enum):
    """What a statement is to a transaction."""

    NOTHING = auto()  # no statement at all
    BEGIN = auto()
    END = auto()  # COMMIT or ROLLBACK
    READ = auto()  # goes with anything
    DML = auto()
    DDL = auto()


class Token(NamedTuple):
    """A word in small letters, a quoted name, a literal, or a sign."""

    text: str
    kind: str


_TOKEN = re.compile(
    r"""(?P<blank>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<escaped>[eE]'(?:[^'\\]|\\.|'')*')
    |(?P<string>'(?:[^']|'')*')
    |(?P<parameter>\$\d+)
    |(?P<dollar>\$(?P<tag>[A-Za-z_]\w*|)\$.*?\$(?P=tag)\$)
    |(?P<quoted>"(?:[^"]|"")*")
    |(?P<word>[^\W\d][\w$]*)
    |(?P<number>\d[\w.]*)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)


def tokens_of(sql: str) -> list[Token]:
    """The tokens of a text; comments are gone."""
    found = []
    for match in _TOKEN.finditer(sql):
        # The tag of a $tag$ is a group within another: the outer one closes last.
        kind = match.lastgroup or "sign"
        if kind != "blank":
            text = match[0].lower() if kind == "word" else match[0]
            found.append(Token(text, "string" if kind in ("escaped", "dollar", "tag") else kind))
    return found


def statements_in(sql: str) -> list[list[Token]]:
    """The statements of one message, without their semicolons and without empty ones."""
    found: list[list[Token]] = [[]]
    for token in tokens_of(sql):
        if token == Token(";", "sign"):
            found.append([])
        else:
            found[-1].append(token)
    return [statement for statement in found if statement]


class DsqlRules:
    """One session: what it may say next."""

    def __init__(self) -> None:
        self._in_transaction = False
        self._written = False
        self._changed_schema = False

    def refuse(self, sql: str) -> Refusal | None:
        """Why this message is refused now; None, and it counts as run, where it is accepted."""
        kind = classify(sql)
        if isinstance(kind, Refusal):
            return kind
        if kind is Kind.BEGIN:
            if self._in_transaction:
                return Refusal("there is already a transaction in progress", ACTIVE)
            self._in_transaction = True
        elif kind is Kind.END:
            self._in_transaction = self._written = self._changed_schema = False
        elif self._in_transaction:
            return self._within(kind)
        return None

    def _within(self, kind: Kind) -> Refusal | None:
        if kind is Kind.DDL:
            if self._changed_schema:
                return Refusal("more than one DDL statement in a transaction")
            if self._written:
                return Refusal("DDL and DML in the same transaction")
            self._changed_schema = True
        elif kind is Kind.DML:
            if self._changed_schema:
                return Refusal("DDL and DML in the same transaction")
            self._written = True
        return None


def forbidden(sql: str) -> Refusal | None:
    """Why this message is never accepted, whatever the transaction; None where it may be."""
    kind = classify(sql)
    return kind if isinstance(kind, Refusal) else None


def classify(sql: str) -> Kind | Refusal:
    """What a message is to a transaction, or why it is refused."""
    statements = statements_in(sql)
    if not statements:
        return Kind.NOTHING
    if len(statements) > 1:
        return Refusal("several statements in one message", SYNTAX)
    return _classify(statements[0])


def _classify(statement: Sequence[Token]) -> Kind | Refusal:
    first = statement[0]
    rule = _RULES.get(first.text) if first.kind == "word" else None
    if rule is None:
        return Refusal(_NEVER.get(first.text, f"{first.text.upper()} is not known to be accepted"))
    return _anywhere(statement) or rule(statement)


_NEVER = {
    "savepoint": "SAVEPOINT is not supported",
    "release": "RELEASE SAVEPOINT is not supported",
    "truncate": "TRUNCATE is not supported",
    "merge": "MERGE is not supported",
    "vacuum": "VACUUM is not supported",
    "listen": "LISTEN is not supported",
    "notify": "NOTIFY is not supported",
    "unlisten": "UNLISTEN is not supported",
    "do": "PL/pgSQL is not supported",
    "lock": "LOCK TABLE is not supported: there are no locks",
    "alter": "ALTER is not among what the tool may say",
}

_CATALOGUE = frozenset(
    {"pg_class", "pg_index", "pg_namespace", "pg_attribute", "pg_type", "pg_catalog"}
)
_SETTINGS_READ = frozenset({"server_version", "server_version_num", "transaction_isolation"})
_SETTINGS_SET = frozenset(
    {
        "application_name",
        "client_encoding",
        "datestyle",
        "extra_float_digits",
        "search_path",
        "timezone",
    }
)
_NO_SUCH_WORD = {
    "tablesample": "TABLESAMPLE is not supported",
    "synchronous_commit": "there is no setting synchronous_commit",
    "fsync": "there is no setting fsync",
    "set_config": "set_config is not among what the tool may say",
    "default_transaction_isolation": "there is one isolation level only",
    "serializable": "isolation level SERIALIZABLE is not supported",
}


def _anywhere(statement: Sequence[Token]) -> Refusal | None:
    """What no statement may hold."""
    for token, following, value in zip(
        statement, [*statement[1:], _NONE], [*statement[2:], _NONE, _NONE], strict=False
    ):
        if token.kind not in ("word", "quoted"):
            continue
        name = token.text.strip('"')
        if name in _NO_SUCH_WORD:
            return Refusal(_NO_SUCH_WORD[name])
        if name.startswith("pg_") and name not in _CATALOGUE:
            return Refusal(f"{name} is not known to be there")
        reads_setting = name == "current_setting" and following.text == "("
        if reads_setting and value.text.strip("'").lower() not in _SETTINGS_READ:
            return Refusal(f"there is no setting {value.text}", UNDEFINED_OBJECT)
    return None


_NONE = Token("", "sign")


def _words(statement: Sequence[Token]) -> list[str]:
    """The words and signs; literals and quoted names can be no keyword."""
    return [token.text if token.kind in ("word", "sign", "number") else "?" for token in statement]


def _depth_0(words: Sequence[str]) -> list[str]:
    """What stands in no parentheses; `()` for what does."""
    found, depth = [], 0
    for word in words:
        if word == "(":
            depth += 1
            if depth == 1:
                found.append("()")
        elif word == ")":
            depth -= 1
        elif depth == 0:
            found.append(word)
    return found


def _has(words: Sequence[str], *wanted: str) -> bool:
    """Whether these words stand there one after the other."""
    return any(
        tuple(words[at : at + len(wanted)]) == wanted for at in range(len(words) - len(wanted) + 1)
    )


def _begin(statement: Sequence[Token]) -> Kind | Refusal:
    words = " ".join(_words(statement)[1:])
    rest = re.sub(r"\b(work|transaction|read only|read write)\b|,", " ", words)
    rest = " ".join(rest.split())
    if rest in ("", "isolation level repeatable read"):
        return Kind.BEGIN
    return Refusal(f"BEGIN {rest.upper()} is not supported: there is one isolation level only")


def _end(statement: Sequence[Token]) -> Kind | Refusal:
    words = _words(statement)
    if "to" in words:
        return Refusal("ROLLBACK TO SAVEPOINT is not supported")
    if words[1:] in ([], ["work"], ["transaction"]):
        return Kind.END
    return Refusal(f"{' '.join(words).upper()} is not known to be accepted")


def _query(statement: Sequence[Token]) -> Kind | Refusal:
    words = _words(statement)
    if _has(words, "for", "share"):
        return Refusal("FOR SHARE is not supported")
    if _has(words, "for", "no", "key", "update"):
        return Refusal("FOR NO KEY UPDATE is not supported")
    if "merge" in words:
        return Refusal(_NEVER["merge"])
    changes = {"insert", "update", "delete"}.intersection(_without_locking(words))
    if "into" in words and not changes:
        return Refusal("SELECT INTO is not supported")
    return Kind.DML if changes else Kind.READ


def _without_locking(words: Sequence[str]) -> list[str]:
    """The words, but for the UPDATE of FOR UPDATE, which changes nothing."""
    return [w for at, w in enumerate(words) if not (w == "update" and at and words[at - 1] == "for")]


def _change(statement: Sequence[Token]) -> Kind | Refusal:
    found = _query(statement)
    return found if isinstance(found, Refusal) else Kind.DML


def _create(statement: Sequence[Token]) -> Kind | Refusal:
    words = _words(statement)[1:]
    for unwanted in ("temp", "temporary", "unlogged"):
        if unwanted in words[:2]:
            return Refusal(f"{unwanted.upper()} tables are not supported")
    if words[:1] == ["table"]:
        return _create_table(words)
    if words[:1] == ["index"] or words[:2] == ["unique", "index"]:
        return _create_index(words)
    if words[:1] == ["sequence"]:
        return _cache(words) or Kind.DDL
    what = " ".join(words[:1]).upper()
    return Refusal(f"CREATE {what} is not supported or not known to be")


def _create_table(words: Sequence[str]) -> Kind | Refusal:
    outside = _depth_0(words)
    if "as" in outside:
        return Refusal("CREATE TABLE AS is not supported")
    if outside[-1:] != ["()"] or outside.count("()") != 1:
        return Refusal("CREATE TABLE with more than a list of columns is not known to be accepted")
    if "[" in words or "array" in words:
        return Refusal("array columns are not supported")
    for serial in ("serial", "bigserial", "smallserial", "serial4", "serial8"):
        if serial in words:
            return Refusal(f'type "{serial}" does not exist', UNDEFINED_OBJECT)
    if "identity" in words:
        return _cache(words) or Kind.DDL
    return Kind.DDL


def _cache(words: Sequence[str]) -> Refusal | None:
    """Identity columns and sequences: bigint, and a cache of 1 or of 65536 and more."""
    sizes = [b for a, b in pairwise(words) if a == "cache"]
    if len(sizes) != 1 or not sizes[0].isdigit():
        return Refusal("a sequence needs CACHE 1 or CACHE 65536 and more")
    size = int(sizes[0])
    return None if size == 1 or size >= 65_536 else Refusal(f"CACHE {size} is not supported")


def _create_index(words: Sequence[str]) -> Kind | Refusal:
    if words[words.index("index") + 1 : words.index("index") + 2] != ["async"]:
        return Refusal("CREATE INDEX without ASYNC is not supported")
    if "using" in words or "where" in words:
        return Refusal("an index with USING or WHERE is not known to be accepted")
    return Kind.DDL


def _drop(statement: Sequence[Token]) -> Kind | Refusal:
    what = _words(statement)[1:2]
    if what in (["table"], ["index"], ["sequence"]):
        return Kind.DDL
    return Refusal(f"DROP {' '.join(what).upper()} is not supported or not known to be")


def _copy(statement: Sequence[Token]) -> Kind | Refusal:
    words = _words(statement)
    if not _has(_depth_0(words), "from", "stdin"):
        return Refusal("COPY is known to be accepted from STDIN only")
    if "binary" in words:
        return Refusal("COPY in the binary format is promised nowhere")
    return Kind.DML


def _call(statement: Sequence[Token]) -> Kind | Refusal:
    words = _words(statement)
    if words[1:4] == ["sys", ".", "wait_for_job"]:
        return Kind.READ
    return Refusal("PL/pgSQL is not supported, so there is no procedure of one's own")


def _set(statement: Sequence[Token]) -> Kind | Refusal:
    words = [w for w in _words(statement)[1:] if w not in ("session", "local")]
    name = "timezone" if words[:2] == ["time", "zone"] else " ".join(words[:1])
    if name in _SETTINGS_SET:
        return Kind.READ
    return Refusal(f"SET {name.upper()} is not supported or not known to be")


def _show(statement: Sequence[Token]) -> Kind | Refusal:
    name = " ".join(_words(statement)[1:])
    if name in _SETTINGS_READ | _SETTINGS_SET:
        return Kind.READ
    return Refusal(f"SHOW {name.upper()} is not known to be accepted")


def _explain(statement: Sequence[Token]) -> Kind | Refusal:
    words = _words(statement)
    for at, word in enumerate(words):
        if word in ("select", "with", "insert", "update", "delete"):
            return _classify(statement[at:])
    return Refusal("EXPLAIN of this is not known to be accepted")


_RULES: dict[str, Callable[[Sequence[Token]], Kind | Refusal]] = {
    "begin": _begin,
    "start": _begin,
    "commit": _end,
    "end": _end,
    "rollback": _end,
    "abort": _end,
    "select": _query,
    "with": _query,
    "insert": _change,
    "update": _change,
    "delete": _change,
    "create": _create,
    "drop": _drop,
    "copy": _copy,
    "call": _call,
    "set": _set,
    "show": _show,
    "explain": _explain,
}
