"""Kinds of intents (world §6.1) and how they are filtered."""

WAIT = 0
MOVE = 1
REQUEST = 2
START = 3
BLOCKED = 4
RELEASE = 5
CHAT = 6
USE = 7
REQUEST_BLOCKED = 8

NOTHING = (WAIT, -1, -1)
"""The intent of a resident that waits."""
