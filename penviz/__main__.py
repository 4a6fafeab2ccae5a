"""`python -m penviz`."""

from penviz.cli.main import main

if __name__ == "__main__":
    main()
