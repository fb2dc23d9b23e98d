"""The input of Jung et al. (arXiv 2505.12863), kept as a variant: score images as codes of an autoencoder.

windows.py      the same windows as pictures and as the image reader sees them
autoencoder.py  a residual-quantised autoencoder of pictures
fitting.py      its training
corpus.py       pictures → files of codes, and windows of codes out of them
train.py        the trunk on codes or on glyphs, for so many processor seconds

Everything behind the encoder's embedding is the trunk's own: its decoder, its loss, its training step.
"""
