"""API keys: who may push what, and act on alerts. The gateway holds them, `yangguang keys` makes and revokes them."""
