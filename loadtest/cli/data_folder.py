"""The option that says where the embedded database lives."""

from pathlib import Path
from typing import Annotated

import typer

_DATA = typer.Option(help="Its data folder.", show_default="OCCBENCH_DATA, or this user's data folder")
DataFolder = Annotated[Path | None, _DATA]
