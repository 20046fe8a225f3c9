"""`python -m pipeline.simulator`: the simulated city from the command line."""

from pipeline.simulator.command import main

if __name__ == "__main__":
    main()
