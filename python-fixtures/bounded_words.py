"""The same trie for the words of a dictionary: the twin of `leaky_words.py`.

leakhunt must say: nothing grows.
"""

from pace import requests


class Letter:
    def __init__(self):
        self.after = {}


WORDS = Letter()


def add(word):
    letter = WORDS
    for character in word:
        if character not in letter.after:
            letter.after[character] = Letter()
        letter = letter.after[character]


def serve(seconds):
    for number in requests(seconds):
        add("%x" % (number % 25 * 2_654_435_761 % (1 << 32)))

if __name__ == "__main__":
    serve(seconds=12)
