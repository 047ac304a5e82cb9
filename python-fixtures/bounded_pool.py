"""The same pool, to which all requests give back: it fills once. The twin of `leaky_pool.py`.

leakhunt must say: nothing grows.
"""

from pace import requests


class Connection:
    def __init__(self, number):
        self.number = number


class Pool:
    def __init__(self):
        self.idle, self.in_use = [], {}

    def take(self, number):
        connection = self.idle.pop() if self.idle else Connection(number)
        self.in_use[number] = connection

    def give_back(self, number):
        self.idle.append(self.in_use.pop(number))


POOL = Pool()


def serve(seconds):
    for number in requests(seconds):
        POOL.take(number)
        for answered in list(POOL.in_use)[:-8]:
            POOL.give_back(answered)

if __name__ == "__main__":
    serve(seconds=12)
