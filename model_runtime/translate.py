"""The library's front door: `translate` for values, `translate_files` for files.

Both find a route through the engines (`model_runtime.router`), run it step by step, and say what they did.
"""
