"""A client that means harm: requests that are broken in every way, made from a seed, and the rules of every answer."""
