"""Where the file is that Locust's own program has to be given."""

from importlib.util import find_spec


def locustfile() -> str:
    """The path of `locustfile.py`; found and not imported, for Locust would then load it twice."""
    spec = find_spec("locustfile")
    if spec is None or spec.origin is None:
        raise RuntimeError("locustfile.py is not installed with the package")
    return spec.origin
