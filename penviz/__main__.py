"""`python -m penviz`."""

from penviz.cli import main

if __name__ == "__main__":
    main()
