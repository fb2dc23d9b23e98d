"""Music as short sequences of symbols: one vocabulary for all four modalities.

vocabulary.py   every symbol and its id
glyphs.py       glyphs of a score image ⇄ tokens
notes.py        notes and pedal of a performance ⇄ tokens
lmx.py          MusicXML measures → LMX (linearised MusicXML)
lmx_reader.py   any sequence of LMX tokens → MusicXML with whole measures
"""
