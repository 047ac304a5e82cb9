"""A proxy that copies the headers of each request.

In multidict 4.7.3 iterating over a `MultiDict` leaves one reference too many to a view of its keys, in C:
the view and the dict that it shows are never freed. Since 4.7.4 they are.
Reference: aio-libs/multidict issue 452.

hunt must say: references to `_KeysView` of multidict are held outside Python, and grow.
"""

import time

from multidict import CIMultiDict


def forward(request):
    headers = CIMultiDict(Host="shop", Accept="text/html")
    headers.add("X-Request", str(request))
    return {name: headers[name] for name in headers}


print("ready", flush=True)
request = 0
while True:
    request += 1
    forward(request)
    time.sleep(0.02)
