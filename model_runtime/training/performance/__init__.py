"""Making the performance reader, which finds beats, barlines and note values in played notes.

corpus.py    scores on disk → their notes, measures and tempos as arrays
kern.py      the same out of Humdrum kern
playing.py   an excerpt of a score → a performance of it, and what a reader should say of each note
dataset.py   batches for both networks
network.py   the networks
train.py     the training run
evaluate.py  beats and note values on works that were not trained on
export.py    the networks for onnxruntime
"""
