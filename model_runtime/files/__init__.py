"""Reading and writing the four modalities: one file a modality."""
