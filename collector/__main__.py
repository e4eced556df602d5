"""`python -m uplog.collector` is the command `uplog`."""

from .cli import main

if __name__ == "__main__":
    main()
