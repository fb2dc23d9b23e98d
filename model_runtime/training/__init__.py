"""Making the unified model: the corpus, what is fed from it, training and evaluation.

corpus.py     scores on disk → aligned tokens on disk
engrave.py    a part → glyphs, out of the engraver's drawing
perform.py    a part's notes → performances as people play them
errors.py     tokens as readers see them: missed, doubled, shifted, mistaken
dataset.py    random windows in batches of similar length
train.py      the training run
evaluate.py   greedy decoding and symbol error rate on held-out windows
curve.py      the run's curve as CSV and picture
"""
