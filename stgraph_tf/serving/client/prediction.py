"""Films through a model server: several requests in flight, results in the films' order."""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import cast

import numpy as np
import tensorflow as tf

from stgraph_tf.data.records import StorageError
from stgraph_tf.serving import score_table
from stgraph_tf.serving.client import errors, served_model
from stgraph_tf.serving.client.connection import LARGEST_MESSAGE, connect
from stgraph_tf.serving.client.errors import RequestError
from stgraph_tf.serving.client.films import Film, FilmReader, FilmRequests
from stgraph_tf.serving.client.retries import Retries
from stgraph_tf.serving.client.served_model import ServedModel

# Films in a row that find no server before the others are given up unread.
_MOST_UNAVAILABLE = 3

# What may be wrong with one film, or with the place where it is.
_FILM_ERRORS = (ValueError, OSError, StorageError, tf.errors.OpError)

_DEFAULT_RETRIES = Retries()


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """What came of one film.

    Attributes:
        video: the film's path.
        error: why there are no scores, in a sentence; None if there are.
        version: of the model.
        labels: C names.
        scores: float32 `[C]`, pooled over the clips.
        num_frames: frames that the film has at the model's rate.
        num_clips: clips that the scores are of.
        num_boxes: boxes that were sent, or that the model found; None if it does not tell.
    """

    video: str
    error: str | None = None
    version: int = 0
    labels: tuple[str, ...] = ()
    scores: np.ndarray | None = None
    num_frames: int = 0
    num_clips: int = 0
    num_boxes: int | None = 0

    def ranked(self) -> list[tuple[str, float]]:
        """Labels and scores, highest first."""
        if self.scores is None:
            raise ValueError(f"{self.video} has no scores: {self.error}")
        return score_table.ranked(self.labels, self.scores)


class Client:
    """A model on a server, for films. A context manager: leaving it closes the connection.

    Args:
        server: see `connection.connect`, as for the arguments below it.
        model_name: as the server was told it.
        model_version: a version's number; None for the newest. When that is replaced, the client
            goes on with the one in its place.
        signature_name: that films are sent to; None for the first of `films.SIGNATURES` that fits.
        saved_model: see `served_model.look_up`.
        in_flight: requests that are under way at once.
        timeout: seconds.
        retries: of requests.
        max_message_bytes: of a request.

    Attributes:
        connection: the connection.
        model: the version that was found when the client was made, or last.

    Raises:
        ValueError: an argument is wrong, or the model does not tell its labels.
        RequestError: the server did not answer, or has no such model.
    """

    def __init__(
        self,
        server: str,
        model_name: str,
        *,
        model_version: int | None = None,
        signature_name: str | None = None,
        saved_model: str | None = None,
        in_flight: int = 4,
        timeout: float = 60.0,
        retries: Retries = _DEFAULT_RETRIES,
        max_message_bytes: int = LARGEST_MESSAGE,
    ):
        if in_flight < 1:
            raise ValueError(f"in_flight must be at least 1. Received: in_flight={in_flight}")
        self._version = model_version
        self._wanted_signature = signature_name
        self._saved_model = saved_model
        self._in_flight = in_flight
        self.connection = connect(
            server,
            model_name,
            timeout=timeout,
            retries=retries,
            max_message_bytes=max_message_bytes,
        )
        try:
            self.model = self._look_up()
        except BaseException:
            self.connection.close()
            raise

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the requests that are under way, and the connection."""
        self.connection.close()

    def predict(
        self,
        films: Iterable[Film],
        *,
        boxes: str | None = None,
        by_id: bool = False,
        watch: Callable[[int, int], None] = lambda done, known: None,
    ) -> Iterator[Prediction]:
        """Scores films, and yields what came of each, in their order.

        While requests are under way, the next film is read. A film that cannot be read or scored
        does not keep the others from it.

        Args:
            films: the films.
            boxes: where their boxes are, as in `tools/predict.py`; None for the model's detector.
            by_id: whether the only line of a file of boxes must have the film's id, too: so when
                there are several films.
            watch: is called with the number of requests that are done and that are known so far,
                whenever these change, from one thread.

        Raises:
            ValueError: there are no such boxes, or the model has no signature that fits.
        """
        reader = FilmReader(boxes, by_id=by_id)
        reader.signature(self.model, self._wanted_signature)
        return self._predict(films, reader, _Watch(watch))

    def _predict(
        self, films: Iterable[Film], reader: FilmReader, watch: "_Watch"
    ) -> Iterator[Prediction]:
        pool = ThreadPoolExecutor(self._in_flight, thread_name_prefix="request")
        pending: collections.deque[_Job] = collections.deque()
        unavailable = 0

        def first() -> Prediction:
            nonlocal unavailable
            prediction, failure = self._finish(pool, reader, pending.popleft(), watch)
            gone = failure is not None and failure.code == errors.UNAVAILABLE
            unavailable = unavailable + 1 if gone else 0
            return prediction

        try:
            for film in films:
                while pending and not self._may_read(pending):
                    yield first()
                if unavailable >= _MOST_UNAVAILABLE:
                    while pending:
                        yield first()
                    yield Prediction(film.path, f"not sent: {self._gone()}")
                    continue
                pending.append(self._submit(pool, reader, film, watch))
            while pending:
                yield first()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _may_read(self, pending: "collections.deque[_Job]") -> bool:
        """Whether another film may wait in memory: one, or as many as keep the server busy."""
        waiting = sum(not future.done() for job in pending for future in job.replies)
        most = 2 * self._in_flight
        return len(pending) < 2 or (waiting < most and len(pending) < most)

    def _submit(
        self, pool: ThreadPoolExecutor, reader: FilmReader, film: Film, watch: "_Watch"
    ) -> "_Job":
        """Reads a film and queues its requests; what is wrong with it is told when it is due."""
        model = self.model
        try:
            signature = reader.signature(model, self._wanted_signature)
            requests = reader.read(film, model, signature)
        except _FILM_ERRORS as error:
            return _Job(film, model, error=error)
        replies = [
            pool.submit(self._request, model, signature, requests, number)
            for number in range(len(requests))
        ]
        watch.expect(len(replies))
        return _Job(film, model, requests, replies)

    def _request(
        self, model: ServedModel, signature: str, requests: FilmRequests, number: int
    ) -> dict[str, np.ndarray]:
        inputs = requests.inputs(number)
        return self.connection.predict(signature, inputs, ["scores"], model.version)

    def _finish(
        self, pool: ThreadPoolExecutor, reader: FilmReader, job: "_Job", watch: "_Watch"
    ) -> tuple[Prediction, RequestError | None]:
        """What came of a film, and why a request failed, if one did."""
        try:
            requests, replies = cast(FilmRequests, job.requests), job.results(watch)
            prediction = Prediction(
                job.film.path,
                version=job.model.version,
                labels=job.model.labels,
                scores=_checked(requests.scores(replies), job.model),
                num_frames=requests.num_stored,
                num_clips=requests.num_clips,
                num_boxes=requests.num_boxes(replies),
            )
            return prediction, None
        except RequestError as error:
            if error.code == errors.NOT_FOUND and self._replaced(job.model):
                again = self._submit(pool, reader, job.film, watch)
                return self._finish(pool, reader, again, watch)
            return Prediction(job.film.path, str(error)), error
        except _FILM_ERRORS as error:
            return Prediction(job.film.path, str(error)), None

    def _replaced(self, model: ServedModel) -> bool:
        """Whether there is another version in the place of one that is gone; if so, takes it."""
        if self._version is not None:
            return False
        if self.model.version == model.version:
            try:
                self.model = self._look_up()
            except (ValueError, RequestError):
                return False
        return self.model.version != model.version

    def _look_up(self) -> ServedModel:
        return served_model.look_up(self.connection, self._version, self._saved_model)

    def _gone(self) -> str:
        server = self.connection.server
        return f"{server} was not available for the {_MOST_UNAVAILABLE} films before"


@dataclasses.dataclass
class _Job:
    """A film whose requests are under way, or that could not be read."""

    film: Film
    model: ServedModel
    requests: FilmRequests | None = None
    replies: list[Future] = dataclasses.field(default_factory=list)
    error: Exception | None = None

    def results(self, watch: "_Watch") -> list[dict[str, np.ndarray]]:
        """Waits for the replies; the first error cancels what is not yet sent."""
        if self.error:
            raise self.error
        results = []
        try:
            for reply in self.replies:
                results.append(reply.result())
                watch.tick()
        finally:
            for reply in self.replies[len(results) :]:
                reply.cancel()
                watch.tick()
        return results


class _Watch:
    """Counts requests for who watches."""

    def __init__(self, tell: Callable[[int, int], None]):
        self._tell = tell
        self._done = self._known = 0

    def expect(self, count: int) -> None:
        self._known += count
        self._tell(self._done, self._known)

    def tick(self) -> None:
        self._done += 1
        self._tell(self._done, self._known)


def _checked(scores: np.ndarray, model: ServedModel) -> np.ndarray:
    if scores.shape != (len(model.labels),):
        raise ValueError(
            f"expected a score for each of {len(model.labels)} labels, received scores of shape "
            f"{list(scores.shape)}"
        )
    return scores
