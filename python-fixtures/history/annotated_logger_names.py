"""A service whose functions are decorated with `annotate_logs`.

annotated-logger up to 1.2.4 makes a logger with a new name at each call, and the standard library keeps
loggers by name for good. Since 1.3.0 the name is taken out again after the call.
Reference: github/annotated-logger pull request 83.

hunt must say: the `loggerDict` of logging's manager grows.
"""

import logging
import time

from annotated_logger import AnnotatedLogger

logging.disable(logging.CRITICAL)
annotate_logs = AnnotatedLogger(name="shop").annotate_logs


@annotate_logs()
def handle(annotated_logger, request):
    annotated_logger.annotate(extra={"request": request})
    return "hello"


print("ready", flush=True)
request = 0
while True:
    request += 1
    handle(request)
    time.sleep(0.02)
