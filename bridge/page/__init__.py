"""The status page that the HTTP door serves."""
