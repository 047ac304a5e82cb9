"""A worker that writes one log file for each task, as Airflow's task runner does.

structlog up to 25.5.0 keeps one lock for each file that a logger writes to, in a dict by file, and never
takes one out: each file object stays after it was closed. Since 26.1.0 the dict holds its keys weakly.
Reference: hynek/structlog pull request 807.

hunt must say: `structlog._output.WRITE_LOCKS` grows.
"""

import tempfile
import time
from pathlib import Path

import structlog

folder = tempfile.TemporaryDirectory()


def run_task(number):
    path = Path(folder.name) / "task.log"
    with path.open("wb") as file:
        log = structlog.wrap_logger(structlog.BytesLogger(file), processors=[structlog.processors.JSONRenderer(
            serializer=lambda event, **_: repr(event).encode())])
        log.info("done", task=number)


print("ready", flush=True)
number = 0
while True:
    number += 1
    run_task(number)
    time.sleep(0.02)
