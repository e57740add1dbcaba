"""The version of Prospero. It stands here because every room may import from here."""

VERSION = "0.2.0"
