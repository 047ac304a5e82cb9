"""Waits in a read of stdin."""
serve()
