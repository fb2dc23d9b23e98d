"""One file an engine, all with the small interface of `base.Engine`."""
