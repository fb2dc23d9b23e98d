"""Pictures of scores: fonts that are always there, and vector pages turned into grey pixels."""
