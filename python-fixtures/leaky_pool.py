"""A pool makes a connection when none is idle, and a request that fails gives its own not back.

leakhunt must say: `Connection` grows, held by `leaky_pool.POOL.in_use`.
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
        if number % 2:  # the leak: the others failed
            POOL.give_back(number)

if __name__ == "__main__":
    serve(seconds=12)
