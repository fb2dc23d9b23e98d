"""Builds what the trunk learns playing from: scores, and how people played them.

    python -m model_runtime.training.rendering --data DATA --out DIR

DATA holds `data/pop909`: arrangements for melody, second voice and piano whose keys people pressed. In most of them a
sequencer moved the onsets to its grid afterwards, while velocities and lengths were left as they were played; in some
the onsets are a person's too; and some follow a singer's tempo. So the grid is the score, and what lies beside it is
the wanted output: the velocity about its running mean, the length that sounds to the one that would be written, the
tempo to the usual one, and, where onsets are a person's, how late each comes within its chord. What a file does not
know weighs nothing.

Of every song three pieces are made: the piano part, piano and melody as one piano piece, and single lines. Every
twentieth song is left for `dev`. Files are as `training.note_windows` reads them; those that are there are kept.
"""
