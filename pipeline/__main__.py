"""`python -m pipeline` is `yangguang`."""

from pipeline.cli import main

main()
