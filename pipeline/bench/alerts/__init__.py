"""What it costs to judge, and how long it takes until people are told: `yangguang bench alerts`."""
