"""The unified model: one encoder–decoder Transformer that translates between all four modalities."""
