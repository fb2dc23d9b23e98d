"""Live sessions: what is played is heard, told and kept while it is played.

`sessions.LiveSessions` belongs to the daemon; each session runs in a process of its own (`worker`), in which a source
(`sources`) brings sound, a reader hears notes in it, and destinations (`destinations`) get them.
"""
