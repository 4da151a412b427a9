"""From a folder to its report's files, for each kind of report."""
