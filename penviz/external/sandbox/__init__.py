"""Child processes with limits, in which files of others are loaded and run, and the protocol with them."""
