"""What stands behind `--target`."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from loadtest.errors import InputError, OccbenchError, TargetError
from loadtest.targets import FAMILIES, StatementFailed, open_target, parse_target
from loadtest.targets.embedded.target import EmbeddedTarget
from loadtest.targets.postgresql.target import PostgresTarget

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("text", "name", "family"),
    [
        ("embedded", "embedded", "embedded"),
        ("embedded://locking", "locking", "embedded"),
        ("embedded?commit_delay_ms=5", "embedded", "embedded"),
        ("east=embedded", "east", "embedded"),
        ("us-east-1=embedded://optimistic?commit_delay_ms=5", "us-east-1", "embedded"),
        ("postgresql://u@db.example:5433/x", "db.example", "postgresql"),
        ("postgres://u@db.example/x", "db.example", "postgresql"),
        ("p=postgres://u@db.example/x", "p", "postgresql"),
        ("postgresql:///x?host=/tmp/a=b", "postgresql", "postgresql"),
        ("postgresql://h/db?application_name=a@b", "h", "postgresql"),
        ("postgresql://h:5432/db?application_name=a@b", "h", "postgresql"),
        ("postgresql://[::1]:5432/db?application_name=a@b", "::1", "postgresql"),
        ("postgresql://", "postgresql", "postgresql"),
        ("postgresql", "postgresql", "postgresql"),
        ("postgresql://?service=bank", "postgresql", "postgresql"),
        ("postgresql://a:1,b:2/db?isolation=serializable", "a", "postgresql"),
        ("cockroachdb://root@c.example:26257/db", "c.example", "cockroachdb"),
        ("yugabytedb://y.example:5433/db?sharding=range", "y.example", "yugabytedb"),
        ("s=spanner://localhost:5432/db", "s", "spanner"),
    ],
)
def test_names_and_families(text: str, name: str, family: str) -> None:
    spec = parse_target(text)
    assert (spec.name, spec.family) == (name, family)
    assert spec.url == text.removeprefix(f"{name}=")
    assert open_target(spec).name == name
    assert spec.shown == spec.url, "there is no secret in it"


def test_options_are_read() -> None:
    spec = parse_target("east=embedded?commit_delay_ms=12&data=/srv/a%20b")
    assert spec.options == {"commit_delay_ms": "12", "data": "/srv/a b"}
    target = open_target(spec)
    assert isinstance(target, EmbeddedTarget)
    assert target.commit_delay_ms == 12
    assert str(target.server.data_folder) == "/srv/a b"
    assert isinstance(open_target(parse_target("postgres://h/d")), PostgresTarget)


@pytest.mark.parametrize(
    "text",
    ["mysql://h/db", "oracle", "embeded", "dsq://h", "gopher://x", "a=b=c", "://", "embedded:/x"],
)
def test_an_unknown_family_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(InputError, match="is of no known family") as caught:
        parse_target(text)
    for family in FAMILIES:
        assert family in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("dsq://host", "dsql"),
        ("embeded", "embedded"),
        ("east=Embedded", "embedded"),
        ("embedded:/x", "embedded"),
        ("postgers://u@h/db", "postgres"),
        ("dynamdb://us-east-1", "dynamodb"),
        ("cockroach://h/db", "cockroachdb"),
        ("lamda://us-east-1/f", "lambda"),
        ("oracle", None),
        ("mysql://h/db", None),
    ],
)
def test_a_slip_of_the_pen_is_put_right(text: str, meant: str | None) -> None:
    with pytest.raises(InputError) as caught:
        parse_target(text)
    found = re.search(r"did you mean (\S+)\?", str(caught.value))
    assert (found and found[1]) == meant


DSQL = "abcdefghij0123456789abcdef.dsql.us-east-1.on.aws"


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (f"https://{DSQL}", DSQL),
        (f"https://{DSQL}/?Action=DbConnect", DSQL),
        ("https://dynamodb.eu-west-1.amazonaws.com/", "dynamodb://eu-west-1"),
        ("dynamodb.eu-west-1.amazonaws.com", "dynamodb://eu-west-1"),
        (
            "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/transfer/invocations",
            "lambda://eu-west-1/transfer?database=URL",
        ),
        ("https://abcdef.lambda-url.eu-west-1.on.aws/", "lambda://eu-west-1/NAME?database=URL"),
        ("arn:aws:dsql:us-east-1:123456789012:cluster/abc", "dsql-cluster://abc?region=us-east-1"),
        (
            "arn:aws:lambda:us-east-1:123456789012:function:transfer:live",
            "lambda://us-east-1/transfer?database=URL",
        ),
        ("arn:aws-cn:dynamodb:cn-north-1:123456789012:table/x", "dynamodb://cn-north-1"),
        ("lambda://arn:aws:lambda:us-east-1:123456789012:function:f", "lambda://us-east-1/f?"),
        (f"dsql://https://{DSQL}/", DSQL),
        ("http://localhost:8000", "dynamodb://us-east-1?endpoint_url=http://localhost:8000"),
        ("jdbc:postgresql://h:5433/d?user=u&password=x", "postgresql://u@h:5433/d;"),
        ("jdbc:aws-dsql:postgresql://h/d", "postgresql://USER@h/d;"),
        ("east=postgresql+asyncpg://u:x@h/d", "postgresql://u@h/d;"),
        ("cockroachdb+psycopg2://u:x@h/d", "postgresql://u@h/d;"),
        ("host=h port=5433 dbname=d user=u password=x", "postgresql://u@h:5433/d;"),
        ("Server=tcp:h,5433;Initial Catalog=d;User Id=u;Password=x", "postgresql://u@h:5433/d;"),
        ('"postgresql://u:x@h/d"', "postgresql://u@h/d;"),
        ("psql 'postgresql://u:x@h/d?sslmode=require'", "postgresql://u@h/d;"),
        ("u:x@h:5433/d", "postgresql://u@h:5433/d;"),
        ("postgresql:/u@h/d", "postgresql://u@h/d;"),
    ],
)
def test_a_form_of_other_tools_is_answered_with_the_right_one(text: str, right: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_target(text)
    assert f"give it as {right}" in str(caught.value)


@pytest.mark.parametrize(
    ("option", "remedy"),
    [
        ("schema=public", "options=-csearch_path%3DNAME"),
        ("currentSchema=public", "options=-csearch_path%3DNAME"),
        ("ssl=true", "sslmode=require"),
        ("connection_limit=5", "--users"),
        ("passwd=x", "PGPASSWORD"),
    ],
)
def test_an_option_of_other_tools_is_answered_with_what_to_do(option: str, remedy: str) -> None:
    for family in ("postgresql", "postgres", "cockroachdb"):
        with pytest.raises(InputError, match=re.escape(remedy)):
            parse_target(f"{family}://u@h/d?sslmode=disable&{option}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the target is empty; give one of embedded, "),
        (" ", "the target is empty; give one of embedded, "),
        ("east=", "target 'east=' has a name and nothing behind it; give one of"),
        ("us east=embedded", "the name 'us east' holds a blank; a name is made of letters, digits"),
        ("=embedded", "the name '' is empty"),
        ("ost\u00fc=embedded", "the name 'ost\u00fc' is not one; a name is made of"),
    ],
)
def test_what_is_wrong_with_a_name_is_said(text: str, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        parse_target(text)
    assert "no known family" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "embedded",
        f"dsql://{'c' * 26}.dsql.us-east-1.on.aws",
        f"dsql-cluster://{'c' * 26}?region=us-east-1",
        "dynamodb://us-east-1",
        "lambda://us-east-1/f?accounts=10",
    ],
)
def test_every_list_of_options_has_those_that_all_have(url: str) -> None:
    """And each of these is taken."""
    wrong = f"{url}{'&' if '?' in url else '?'}colour=red"
    with pytest.raises(InputError, match=r"no option 'colour'; there is .*\bweight\b"):
        open_target(parse_target(wrong))
    assert open_target(parse_target(wrong.replace("colour=red", "weight=3"))).spec.weight == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("embedded://pessimistic", "no regime 'pessimistic'"),
        ("embedded?delay=5", "no option 'delay'"),
        ("embedded?commit_delay_ms=-1", "commit_delay_ms=-1"),
        ("embedded?commit_delay_ms=10001", "commit_delay_ms=10001"),
        ("embedded?commit_delay_ms=nan", "commit_delay_ms=nan"),
        ("embedded?commit_delay_ms=soon", "commit_delay_ms=soon"),
        ("embedded?commit_delay_ms=", "commit_delay_ms="),
        ("embedded://locking?commit_delay_ms=5", "optimistic regime only"),
        ("embedded?data=/a%0Ab", "control character"),
        ("embedded?isolation=serializable", "locking regime only"),
        ("embedded://locking?isolation=snapshot", "there is isolation=repeatable-read, serializable"),
        ("embedded://locking?iam=rds", "no option 'iam'"),
        ("embedded://locking?region=x", "no option 'region'"),
    ],
)
def test_an_embedded_target_says_what_it_cannot_do(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        open_target(parse_target(text))
    assert "\n" not in str(caught.value)


# Secrets


def test_an_at_sign_behind_the_password_is_nothing_special() -> None:
    spec = parse_target(f"postgresql://u:{SECRET}@h:5432/db?application_name=a@b")
    assert spec.shown == "postgresql://u@h:5432/db?application_name=a@b"


URLS_WITH_A_SECRET = [
    f"postgresql://u:{SECRET}@127.0.0.1:PORT/db",
    f"postgres://u:{SECRET}@127.0.0.1:PORT/db?connect_timeout=5",
    f"east=postgresql://u:{SECRET}@127.0.0.1:PORT/db",
    f"postgresql://:{SECRET}@127.0.0.1:PORT/db",
    f"postgresql://u@127.0.0.1:PORT/db?password={SECRET}",
    f"postgresql://u@127.0.0.1:PORT/db?user=x&PASSWORD={SECRET}&sslmode=disable",
    f"postgresql://127.0.0.1:PORT/db?sslpassword={SECRET}",
    f"postgresql://u:{SECRET}@127.0.0.1:PORT/db?no_such_option=1",
    f"postgresql://u:{SECRET}@127.0.0.1:PORT/db?port={'9' * 9}",
    f"postgresql://u:{SECRET}@127.0.0.1:PORT,127.0.0.1:1/db",
    f"postgresql://u@127.0.0.1:PORT/db?pass%77ord={SECRET}",
    f"postgresql://u@127.0.0.1:PORT/db?password=ab&{SECRET}",
    f"postgresql://u@127.0.0.1:PORT/db?password=ab&{SECRET}=1",
    f"postgresql://u@127.0.0.1:PORT/db?{SECRET}",
    f"postgresql://u@127.0.0.1:{SECRET}/db",
    f"postgresql://127.0.0.1:{SECRET}/db",
    f"postgresql://u@127.0.0.1:PORT/db?sslmode=require;password={SECRET}",
    f"postgresql://u@127.0.0.1:PORT/db?sslmode={SECRET}://x",
    f"postgresql://u@127.0.0.1:PORT/db?options=-c%20my.word%3D{SECRET}",
    f"postgresql://u@127.0.0.1:PORT/db:{SECRET}@x",
]
UNREADABLE = [
    f"Server=h;Database=d;User Id=u;Password={SECRET};",
    f"Host=h;Port=5433;Database=d;Username=u;Password={SECRET}",
    f"Data Source=tcp:h,1433;Initial Catalog=d;uid=u;pwd={SECRET}",
    f"jdbc:postgresql://h:5432/d?user=u&password={SECRET}",
    f"jdbc:postgresql://u:{SECRET}@h/d",
    f"postgresql+psycopg://u:{SECRET}@h:5432/d",
    f"postgres://u:{SECRET}@h/d?schema=public",
    f'"postgresql://u:{SECRET}@h/d"',
    f"psql 'postgresql://u:{SECRET}@h/d'",
    f"PGPASSWORD={SECRET} postgresql://u@h/d",
    f"https://h.dsql.us-east-1.on.aws/?Action=DbConnect&X-Amz-Signature={SECRET}",
    f"http://u:{SECRET}@localhost:8000",
    f"postgresql://u:{SECRET}@h/d password={SECRET}",
    f"postgresql://u@h/d?weight=1;password={SECRET}",
    f"postgresql:u:{SECRET}@h/d",
    f"embedded:{SECRET}",
    f"redshift://u:{SECRET}@h/d",
    f'{{"host":"h","password":"{SECRET}"}}',
    f"a b={SECRET}",
    SECRET,
    f"embedded={SECRET}",
    f"postgresql://u:ab@{SECRET}@h/db",
    f"postgresql://u:{SECRET}@{SECRET}@h/db",
    f"postgresql://u:ab/{SECRET}@h/db",
    f"postgresql://u:ab?{SECRET}@h/db",
    f"postgresql://u:ab#{SECRET}@h/db",
    f"postgresql://u:ab[{SECRET}@h/db",
    f"postgresql://u:{SECRET}%@h/db",
    f"postgresql://u:%zz{SECRET}@h/db",
    f"postgresql://u:ab {SECRET}@h/db",
    f"postgresql://u@h/db?password=ab {SECRET}",
    f"postgresql://u@h/db?password=%zz{SECRET}",
    f"postgresql://u:{SECRET}@[::1/db",
    f"postgresql://u:ab?c/{SECRET}@h/db",
    f"mysql://u:{SECRET}@h/db",
    f"mysql://u:ab@{SECRET}@h/db",
    f"mysql://h/db?password={SECRET}",
    f"host=h user=u password={SECRET}",
    f"a=host=h password='{SECRET} {SECRET}' user=x",
    f"password = {SECRET}",
]


@pytest.mark.parametrize("text", URLS_WITH_A_SECRET)
def test_a_password_is_never_shown(text: str, closed_port: int) -> None:
    spec = parse_target(text.replace("PORT", str(closed_port)))
    assert SECRET in spec.url
    for words in (spec.shown, repr(spec), str(spec)):
        assert SECRET not in words
    assert "127.0.0.1" in spec.shown
    target = open_target(spec)
    with pytest.raises(OccbenchError) as caught:
        target.start()
    assert SECRET not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.__suppress_context__, "nor in a traceback's second half"


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_password_that_cannot_be_read_is_not_quoted(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_target(text)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


PRINTABLE = st.characters(min_codepoint=33, max_codepoint=126)


def said_of(password: str) -> str:
    """What is shown of a URL with this password, or said against it."""
    try:
        return repr(parse_target(f"postgresql://me:{password}@db.example/x"))
    except InputError as error:
        # The words that say what to write instead are not the password's.
        return str(error).split(": the password")[0].split(": Invalid")[0]


HARMLESS = said_of("<~~~~~~~~>") + said_of("<%~~~~~~~>") + said_of("<[~~~~~~>")


@example("<examp>")  # a part of the host's name, which is shown whatever the password is
@given(st.text(PRINTABLE, min_size=5, max_size=12).map(lambda text: f"<{text}>"))
def test_no_part_of_any_password_is_shown(password: str) -> None:
    middle = password[1:-1]
    if re.search(r"@[^@]*[/?]|^\d*[/?,]", middle):
        return  # that cannot be told from a host, or a port, and its path
    words = said_of(password)
    for length in range(4, len(middle) + 1):
        assert middle[:length] not in words or middle[:length] in HARMLESS


def test_a_connection_refused_is_one_line_with_a_remedy(closed_port: int) -> None:
    target = open_target(parse_target(f"postgresql://u@127.0.0.1:{closed_port}/db"))
    with pytest.raises(TargetError, match=r"cannot be reached: .*refused; check the host") as caught:
        target.start()
    assert str(closed_port) in str(caught.value)


def test_a_failure_says_no_more_than_the_target_did() -> None:
    failure = StatementFailed("", "server closed the connection", commit_sent=False, connected=False)
    assert str(failure) == "connection lost: server closed the connection"
    assert (
        str(StatementFailed("40001", "x (OC000)", commit_sent=True, connected=True))
        == "40001: x (OC000)"
    )


@pytest.mark.parametrize(
    "url",
    [
        "dynamodb://us-east-1?aws_secret_access_key=HUNTER2&prefix=x",
        "dynamodb://us-east-1?AWS_ACCESS_KEY_ID=HUNTER2",
        "dsql://h?aws_session_token=HUNTER2",
        "dsql://h?client_secret=HUNTER2",
        "lambda://us-east-1/f?database=u%3AHUNTER2%40h",
        "embedded://u:HUNTER2@h",
        "dynamodb://HUNTER2@us-east-1",
        "lambda://HUNTER2@us-east-1/f",
        "postgresql://h/d?user=u:HUNTER2&isolation=none",
        "embedded?data=/x&token=HUNTER2",
        "embedded?commit_delay_ms=1;token=HUNTER2",
        "dynamodb://key:HUNTER2@us-east-1",
        "dynamodb://us-east-1/key:HUNTER2@h",
        "dynamodb://us-east-1?endpoint_url=http://u:HUNTER2@h:1",
        "dynamodb://us-east-1?prefix=u:HUNTER2@h",
        "lambda://us-east-1/f?accounts=10&endpoint_url=http://u:HUNTER2@h:1",
        "lambda://us-east-1/f?accounts=HUNTER2://",
        "postgresql://h/d?passwd=HUNTER2",
        "postgresql://h/d?isolation=serializable;password=HUNTER2",
        "u:HUNTER2@h/d",
        "east=u:HUNTER2@h/d",
    ],
)
def test_a_secret_is_hidden_where_no_target_takes_one(url: str) -> None:
    """It is refused, and the refusal must not quote it."""
    with pytest.raises(InputError) as caught:
        open_target(parse_target(url))
    assert "HUNTER2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "dsql://h.dsql.us-east-1.on.aws?token_expires_s=900",
        "lambda://us-east-1/f?accounts=2&key_seed=1",
    ],
)
def test_what_is_no_secret_is_shown(url: str) -> None:
    assert parse_target(url).shown == url


@pytest.mark.parametrize("family", ["postgresql", "cockroachdb", "yugabytedb", "spanner"])
def test_a_silent_connection_counts_as_lost(family: str) -> None:
    """The system's own patience is a quarter of an hour for what was sent, and hours for an answer."""
    target = open_target(parse_target(f"{family}://me@db.example/bank"))
    assert isinstance(target, PostgresTarget)
    options = conninfo_to_dict(target.conninfo())
    assert options["tcp_user_timeout"] == "30000"
    idle, interval, tries = (
        int(str(options[f"keepalives_{name}"])) for name in ("idle", "interval", "count")
    )
    assert idle + interval * tries == 30
    chosen = open_target(parse_target(f"{family}://me@db.example/bank?tcp_user_timeout=5"))
    assert isinstance(chosen, PostgresTarget)
    assert conninfo_to_dict(chosen.conninfo())["tcp_user_timeout"] == "5"
