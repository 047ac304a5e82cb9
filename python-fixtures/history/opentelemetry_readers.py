"""A job runner that measures each job with a meter provider of its own, and shuts it down after the job.

In opentelemetry-sdk up to 1.27.0 each metric reader stays in a set that is an attribute of the class
`MeterProvider`, also after `shutdown()`. Since 1.28.0 that set is weak.
Reference: open-telemetry/opentelemetry-python issue 4220.

hunt must say: `MeterProvider._all_metric_readers` grows, with `InMemoryMetricReader`.
"""

import time

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader


def run_job(number):
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    counter = provider.get_meter("jobs").create_counter("rows")
    counter.add(number)
    reader.get_metrics_data()
    provider.shutdown()


print("ready", flush=True)
number = 0
while True:
    number += 1
    run_job(number)
    time.sleep(0.02)
