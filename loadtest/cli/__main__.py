"""`python -m loadtest.cli`."""

from loadtest.cli.main import main

if __name__ == "__main__":
    main()
