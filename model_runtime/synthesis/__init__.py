"""What all synthesisers share: a performance as timed events, the tail, the loudness, and sound kept in a file."""
