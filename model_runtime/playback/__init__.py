"""How a score is played: MusicXML read exactly, repeats unfolded, tempo, dynamics, articulation and ornaments."""
