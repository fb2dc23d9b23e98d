"""The command line: `scorebridge serve | translate | jobs | page | models | plugins | doctor | demo`.

One file a command; what a command needs is imported when it runs, so that `scorebridge --help` answers at once.
"""

from bridge.cli.main import app, main

__all__ = ["app", "main"]
