"""Runs `mydata-sandbox` as `python -m mydata_sandbox`."""

from mydata_sandbox.cli import main

if __name__ == "__main__":
    main()
