"""A trie of words: each letter is a dict of a dict.

leakhunt must say: `Letter` grows, held by `leaky_words.WORDS`.
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
            letter.after[character] = Letter()  # the leak: the words are numbers
        letter = letter.after[character]


def serve(seconds):
    for number in requests(seconds):
        add("%x" % (number * 2_654_435_761 % (1 << 32)))

if __name__ == "__main__":
    serve(seconds=12)
