"""What is fast and what is accurate, measured: each module prints a table and writes JSON."""
