"""`yangguang bench gateway`: the gateway beside a bare handler."""
