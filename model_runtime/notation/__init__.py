"""From played notes to written ones: beats, grid, staves, voices, spelling, and MusicXML out of them.

performance ─ beats ─ metre ─ grid ─→ QuantisedScore ─ staves ─ voices ─ spelling ─ measures ─→ MusicXML
"""
