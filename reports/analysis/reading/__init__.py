"""The files of a record: found, read and checked."""
