"""What Prometheus reads: TF Serving's figures under its names, and a few of this server's own."""

import contextlib
import time
from collections.abc import Iterator

import grpc
import prometheus_client

from stgraph_tf.serving.local_server.admission import Admission
from stgraph_tf.serving.local_server.statuses import RequestError

PATH = "/monitoring/prometheus/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# TF Serving's: 10 microseconds, and 1.8 times as much each.
_BUCKETS = tuple(10 * 1.8**power for power in range(33))
_MICROSECONDS = 1e6


class Monitoring:
    """Counters and histograms of one server.

    Args:
        model_name: the label of all figures.
        admission: counts the requests inside.
    """

    def __init__(self, model_name: str, admission: Admission):
        # Else every counter has a companion with the time of its making.
        prometheus_client.disable_created_metrics()
        self._model_name = model_name
        self._registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self._registry)
        self._requests = self._counter(
            ":tensorflow:serving:request_count", "Requests answered.", ["model_name", "status"]
        )
        self._latency = self._histogram(
            ":tensorflow:serving:request_latency",
            "Microseconds from a request's first byte to its answer.",
            ["model_name", "API", "entrypoint"],
        )
        self._runtime = self._histogram(
            ":tensorflow:serving:runtime_latency",
            "Microseconds in TensorFlow.",
            ["model_name", "API", "runtime"],
        )
        self._rows = self._histogram(
            ":stgraph_tf:local_server:batch_rows",
            "Rows computed together.",
            ["model_name"],
            tuple(2**power for power in range(11)),
        )
        self._loads = self._counter(
            ":stgraph_tf:local_server:load_count", "Versions loaded.", ["model_name", "status"]
        )
        inside = self._gauge(":stgraph_tf:local_server:requests_inside", "Requests not answered.")
        inside.set_function(lambda: admission.inside)
        accepted = self._gauge(
            ":stgraph_tf:local_server:requests_accepted", "Requests for which there was a place."
        )
        accepted.set_function(lambda: admission.accepted)
        refused = self._gauge(
            ":stgraph_tf:local_server:requests_refused", "Requests for which there was no place."
        )
        refused.set_function(lambda: admission.refused)

    def page(self) -> bytes:
        """The figures as Prometheus reads them."""
        page = prometheus_client.generate_latest(self._registry)
        # The library appends this to a counter's name, and TF Serving does not.
        return page.replace(b":request_count_total", b":request_count")

    @contextlib.contextmanager
    def request(self, api: str, entrypoint: str) -> Iterator[None]:
        """Counts a request by how the block ends, and its time.

        Args:
            api: the method's name.
            entrypoint: `GRPC` or `REST`.
        """
        start, status = time.perf_counter(), grpc.StatusCode.CANCELLED
        try:
            yield
            status = grpc.StatusCode.OK
        except RequestError as error:
            status = error.code
            raise
        except Exception:
            status = grpc.StatusCode.INTERNAL
            raise
        finally:
            self._requests.labels(self._model_name, status.name).inc()
            seconds = time.perf_counter() - start
            self._latency.labels(self._model_name, api, entrypoint).observe(seconds * _MICROSECONDS)

    @contextlib.contextmanager
    def runtime(self, rows: int) -> Iterator[None]:
        """Counts a run of TensorFlow with so many rows, and its time."""
        start = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            self._runtime.labels(self._model_name, "Predict", "TF2").observe(
                seconds * _MICROSECONDS
            )
            self._rows.labels(self._model_name).observe(rows)

    def loaded(self, status: grpc.StatusCode) -> None:
        """Counts a version that was loaded, or refused."""
        self._loads.labels(self._model_name, status.name).inc()

    def _counter(self, name: str, text: str, labels: list[str]) -> prometheus_client.Counter:
        return prometheus_client.Counter(name, text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str) -> prometheus_client.Gauge:
        return prometheus_client.Gauge(name, text, registry=self._registry)

    def _histogram(
        self, name: str, text: str, labels: list[str], buckets: tuple[float, ...] = _BUCKETS
    ) -> prometheus_client.Histogram:
        return prometheus_client.Histogram(
            name, text, labels, buckets=buckets, registry=self._registry
        )
