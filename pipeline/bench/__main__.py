"""`python -m pipeline.bench`: the same as `yangguang bench land`."""

from pipeline.bench.command import land

if __name__ == "__main__":
    land()
