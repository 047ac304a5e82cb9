"""The doors to the agent in this process."""

from typing import Optional

def connect() -> int:
    """One end of a connection to the agent, a descriptor for a child to inherit."""

def door() -> Optional[str]:
    """The path of the open door, or None."""

def forget() -> bool:
    """In a forked child: whether the parent had a door, of which nothing is left here."""

def listen() -> str:
    """Opens the door, unless it is open; its path."""

def pause() -> None:
    """Before a fork: no thread of the door is there, and nobody is let in."""

def resume() -> None:
    """After a fork, in the process that forked."""

def unlisten() -> None:
    """Closes the door."""
