"""Lambda targets: what stands behind `--target`."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loadtest.errors import InputError
from loadtest.targets import open_target, parse_target
from loadtest.targets.aws_lambda.target import LambdaTarget
from loadtest.targets.base.calls import Declared
from loadtest.targets.registry import shown_target


def opened(text: str) -> LambdaTarget:
    target = open_target(parse_target(text))
    assert isinstance(target, LambdaTarget)
    return target


@pytest.mark.parametrize(
    ("path", "function"),
    [
        ("transfer", "transfer"),
        ("transfer:live", "transfer:live"),
        ("transfer:$LATEST", "transfer:$LATEST"),
        ("transfer%3A7", "transfer:7"),
        (
            "arn:aws:lambda:us-east-1:123456789012:function:transfer:live",
            "arn:aws:lambda:us-east-1:123456789012:function:transfer:live",
        ),
        ("123456789012:function:transfer", "123456789012:function:transfer"),
    ],
)
def test_functions(path: str, function: str) -> None:
    target = opened(f"lambda://us-east-1/{path}?accounts=10")
    assert target.address == {"region": "us-east-1", "function": function}
    assert target.retry == "function"
    assert target.declared == Declared(10, 1, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lambda://us-east-1?accounts=10", "a Region and a function's name are needed"),
        ("lambda:///transfer?accounts=10", "a Region and a function's name are needed"),
        ("lambda://us-east-1/a/b?accounts=10", "a Region and a function's name are needed"),
        ("lambda://us-east-1/f", "say what is behind the function"),
        ("lambda://us-east-1/f?database=embedded&accounts=10", "say what is behind the function"),
        ("lambda://us-east-1/f?accounts=1", "accounts=1 is not a whole number from 2 on"),
        ("lambda://us-east-1/f?accounts=many", "accounts=many is not"),
        ("lambda://us-east-1/f?accounts=99999999999999999999999", "is not a whole number"),
        ("lambda://us-east-1/f?accounts=10&key_seed=-1", "key_seed=-1 is not"),
        ("lambda://us-east-1/f?database=embedded&balance=5", "go with accounts= only"),
        (
            "lambda://us-east-1/f?accounts=10&retry=never",
            "there is retry=function, caller",
        ),
        ("lambda://us-east-1/f?accounts=10&qualifier=x", "no option 'qualifier'.*percent-encoded"),
        ("lambda://us-east-1/f?database=mysql%3A%2F%2Fh", "in database=: .*no known family"),
        ("lambda://us-east-1/f?database=lambda%3A%2F%2Fr%2Fg", "database= names a function"),
    ],
)
def test_what_cannot_be(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        opened(text)
    assert "\n" not in str(caught.value)


def test_the_database_behind_it() -> None:
    target = opened("eu=lambda://us-east-1/f?database=embedded%3Fdata%3D%2Fsrv%2Fa&retry=caller")
    database = target.database
    assert database is not None
    assert database.spec.url == "embedded?data=/srv/a"
    assert database.called == "target eu's database (embedded?data=/srv/a)"
    assert target.server_id() == "us-east-1/f"


PASSWORDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="*"), min_size=4, max_size=12
).map(lambda text: f"*{text}*")


@example("*%40%2540*", 1)
@example("*a&b=c*", 1)
@example("*a:b@c*", 2)
@given(PASSWORDS, st.integers(1, 3))
def test_no_password_of_the_database_is_shown(password: str, times: int) -> None:
    inner = f"postgresql://me:{quote(password, safe='')}@db.example/x?connect_timeout=5"
    other = f"postgresql://me@db.example/x?password={quote(password, safe='')}"
    for database in (inner, other):
        value = database
        for _ in range(times):
            value = quote(value, safe="")
        text = f"lambda://us-east-1/f?profile=p&database={value}&retry=caller"
        spec = parse_target(text)
        said = [spec.shown, repr(spec), shown_target(f"nobody=takes {text}")]
        try:
            target = opened(text)
            assert times == 1
            assert target.database is not None
            said += [target.called, target.database.called]
        except InputError as error:
            assert times > 1
            said.append(str(error))
        for words in said:
            shown = words.replace("***", "")
            for encoded in _encodings(password):
                assert encoded not in shown
        assert spec.shown.startswith("lambda://us-east-1/f?profile=p&database=")
        assert spec.shown.endswith("&retry=caller")


def _encodings(password: str) -> Iterator[str]:
    for _ in range(5):
        yield password
        password = quote(password, safe="")


SAFE = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)


@given(SAFE)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    """A folder of the database behind the function, whatever it is called."""
    folder = f"/srv/{quote(text, safe='')}"
    target = opened(f"lambda://us-east-1/f?database={quote(f'embedded?data={folder}', safe='')}")
    spec = target.spec
    assert target.database is not None
    assert target.database.spec.options["data"] == f"/srv/{text}"
    if "password" not in text.lower() and ":" not in text and "token" not in text.lower():
        assert spec.shown == spec.url
