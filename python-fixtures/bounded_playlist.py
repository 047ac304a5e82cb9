"""The same list, which the first song leaves when the next is added: the twin of `leaky_playlist.py`.

leakhunt must say: nothing grows.
"""

from pace import requests


class Song:
    def __init__(self, number):
        self.number = number
        self.next = self.previous = None


class Playlist:
    def __init__(self):
        self.first = self.last = Song(0)

    def add(self, song):
        song.previous, self.last.next = self.last, song
        self.last = song
        self.first.next, self.first = None, self.first.next
        self.first.previous = None


PLAYLIST = Playlist()


def serve(seconds):
    for number in requests(seconds):
        PLAYLIST.add(Song(number))

if __name__ == "__main__":
    serve(seconds=12)
