"""The way from several result folders to one page."""

from collections.abc import Sequence
from pathlib import Path

from loadtest.errors import OccbenchError
from loadtest.record.files import write_atomically
from reports.documents.publication import Publication


def write_together(folders: Sequence[Path], file: Path) -> Path:
    """Write one self-contained HTML page of all these runs to `file`; returns its path.

    Raises:
        InputError: with fewer than two different runs, or if one of them is broken.
        OccbenchError: if the file cannot be written.
    """
    # Drawing needs matplotlib, which takes half a second to import.
    import reports.charts.drawing  # noqa: F401
    from reports.write.overview_page import render

    page = render(publish_together(folders))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, page)
    except OSError as error:
        raise OccbenchError(f"cannot write {file}: {error.strerror}") from error
    return file


def publish_together(folders: Sequence[Path]) -> Publication:
    """The same content for the other formats.

    Raises:
        InputError: as `write_together`.
    """
    import reports.charts.drawing  # noqa: F401
    from reports.documents.overview.publish import publish
    from reports.documents.overview.read import read_runs

    return publish(read_runs(folders))
