"""Forks workers that answer the test, of which some leak, and starts a program that is no Python."""
import multiprocessing
import subprocess

fork = multiprocessing.get_context("fork")
LEDGER = []
workers = []
sleeper = subprocess.Popen(["sleep", "3600"])
atexit.register(sleeper.kill)


class Entry:
    def __init__(self):
        self.text = "x" * 64


def work(line, leaks):
    while True:
        if line.poll(0.005):
            line.send(line.recv())
        if leaks:
            LEDGER.append(Entry())


def hire(leaks):
    """Its process id."""
    ours, theirs = fork.Pipe()
    worker = fork.Process(target=work, args=(theirs, leaks), daemon=True)
    worker.start()
    workers.append((worker, ours))
    return worker.pid


def answers():
    """Those that answer."""
    answering = []
    for worker, line in workers:
        if worker.is_alive():
            line.send("here")
            if line.poll(60) and line.recv() == "here":
                answering.append(worker.pid)
    return answering


serve()
