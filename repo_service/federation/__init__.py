"""Speaking with other servers: ActivityPub, signatures, and requests to addresses that strangers name."""
