"""A server with a thread for each request, which keeps the user of the request in asgiref's `Local`.

In asgiref up to 3.2.7 a `Local` appends a weak reference to a list for each thread that it was used in, and
the dead ones stay there. Since 3.2.8 it is a weak set.
Reference: django/asgiref pull request 158. Django has such objects as globals of its modules.

hunt must say: the list `_context_refs` of `__main__.current` grows, with dead weak references.
"""

import threading
import time

from asgiref.local import Local

current = Local()


def handle(request):
    current.user = "visitor-%d" % request
    return current.user


print("ready", flush=True)
request = 0
while True:
    request += 1
    thread = threading.Thread(target=handle, args=(request,))
    thread.start()
    thread.join()
    time.sleep(0.02)
