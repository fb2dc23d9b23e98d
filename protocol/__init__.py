"""What a ScoreBridge client and the daemon say to each other. No music, no models."""

PROTOCOL_VERSION = "1.0"
"""major.minor: a client of another major version is refused."""
