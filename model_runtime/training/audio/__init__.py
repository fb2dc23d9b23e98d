"""Training the audio reader: music, its sound, what happens to sound on its way to us, and the run.

The steps, each a module: `music` draws what is played, `soundfonts` and `samplers` sound it, `degrade` puts it into
rooms and through microphones, `corpus` keeps frames and notes, `targets` and `dataset` make batches, `train` learns.
"""
