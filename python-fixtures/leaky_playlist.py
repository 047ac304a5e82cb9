"""A list whose links know the next and the one before; played songs stay in it.

leakhunt must say: `Song` grows, held by `leaky_playlist.PLAYLIST.first`
or `leaky_playlist.PLAYLIST.last`.
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
        self.last = song  # the leak: the first song is never taken out


PLAYLIST = Playlist()


def serve(seconds):
    for number in requests(seconds):
        PLAYLIST.add(Song(number))

if __name__ == "__main__":
    serve(seconds=12)
