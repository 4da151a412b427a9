"""Schema and parallel loading: tables that hold the accounts of a scenario.

`seed` makes the tables and loads them; `contents` and `read_manifest` say what a database holds;
`export_keys` writes the keys to a file.
"""

from seed.keyfile import export_keys, key_source
from seed.plan import SeedPlan, SeedResult, TableResult
from seed.progress import SeedProgress
from seed.sql.loader import SeedInterrupted
from seed.sql.manifest import Manifest, read_manifest
from seed.stores import contents, seed

__all__ = [
    "Manifest",
    "SeedInterrupted",
    "SeedPlan",
    "SeedProgress",
    "SeedResult",
    "TableResult",
    "contents",
    "export_keys",
    "key_source",
    "read_manifest",
    "seed",
]
