"""API keys: who may push what. The gateway holds them, `yangguang keys` makes and revokes them."""
