"""A gateway that builds the response model of each request: a generic envelope of a class made at run time.

pydantic up to 1.9.0 keeps each parametrized generic model in dicts of the module `pydantic.generics`, for
good. Since 1.9.1 these dicts hold some thousand at most.
Reference: pydantic/pydantic pull request 4083.

hunt must say: `pydantic.generics._generic_types_cache` or `_assigned_parameters`, which keep the same
classes, grows.
"""

import time
from typing import Generic, TypeVar

from pydantic import create_model
from pydantic.generics import GenericModel

Payload = TypeVar("Payload")


class Envelope(GenericModel, Generic[Payload]):
    payload: Payload


def answer(request):
    model = create_model("Payload%d" % request, text=(str, ...))
    return Envelope[model](payload={"text": "hello"}).json()


# The bounded dicts of the fixed version are full before the watch begins.
for request in range(1200):
    answer(request)
print("ready", flush=True)
while True:
    request += 1
    answer(request)
    time.sleep(0.02)
