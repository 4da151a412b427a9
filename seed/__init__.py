"""Schema and parallel loading: tables that hold the accounts of a scenario.

`seed` makes the tables and loads them; `contents` and `read_manifest` say what a database holds;
`export_keys` writes the keys to a file.
"""

from seed.keyfile import export_keys, key_source
from seed.loader import SeedInterrupted
from seed.manifest import Manifest
from seed.plan import SeedPlan, SeedResult, TableResult
from seed.progress import SeedProgress
from seed.seeding import contents, seed
from seed.sql.ledger import read_manifest

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
