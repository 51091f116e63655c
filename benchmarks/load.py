"""The local server under load and under fire, as a real process.

First, at saturation, requests whose right answers are known: a wrong answer, or none, is an error.
Then malformed requests of all kinds, each of which must have a proper answer, while others still
get right ones. At last SIGTERM under load, which must lose no request that was accepted.

    python tools/benchmark.py load

By default as many requests are sent as come in half an hour at five a second. A server that answers
24 a second is at saturation for half an hour with

    python tools/benchmark.py load --rounds 6 --amount 7200

Malformed requests come in rounds, too, and the memory after each tells whether it has an end; more
of them (`--malformed 50000`) tell it more clearly.
"""

import collections
import contextlib
import functools
import itertools
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

import grpc
import numpy as np
from absl import logging
from ml_collections import ConfigDict

from benchmarks import (
    known_requests,
    malformed_bodies,
    malformed_bytes,
    malformed_messages,
    malformed_requests,
    measure,
    serving,
)
from benchmarks.known_requests import Reply, Request, Sender
from benchmarks.malformed_requests import Target
from benchmarks.served_process import ServedProcess
from stgraph_tf import config as defaults
from stgraph_tf.serving import assets, export, versions

_REQUESTS = 30 * 60 * 5
_CLIENTS = 6
# Slow ones wait most of their time.
_MALFORMED_CLIENTS = 24
_TOLERANCE = 1e-5
# Enough for the clips of the model that is made here; and too large a message is soon too large.
_LEAST_BYTES = 2**22
_CLIENT_SECONDS = 5
_INSIDE = ":stgraph_tf:local_server:requests_inside"
_ACCEPTED = ":stgraph_tf:local_server:requests_accepted"
# Connections that a server holds on to for a moment.
_FEW = 8


def run(options: measure.Options, config: ConfigDict | None = None) -> measure.Report:
    """Sends the requests: `options.amount` of known answer a round, then `options.malformed` others
    in as many rounds.

    Args:
        options: which model, and how much.
        config: of the model that is made where none is given; a small one by default.

    Raises:
        ValueError: an answer is wrong or improper, or the server does not behave.
    """
    amount = options.amount or _REQUESTS // options.rounds
    with contextlib.ExitStack() as stack:
        base_path = options.model_base_path or stack.enter_context(_exported(config or _small()))
        saved_model = versions.find(base_path)
        _, spec = assets.read(saved_model)
        clips = known_requests.make_clips(spec)
        requests = known_requests.make_requests(saved_model, clips)
        max_bytes = max(_LEAST_BYTES, 2 * max(len(request.body) for request in requests))
        server = ServedProcess(
            os.path.dirname(saved_model),
            "--enable_batching",
            f"--grpc_max_message_bytes={max_bytes}",
            f"--rest_api_max_message_bytes={max_bytes}",
            f"--client_timeout_seconds={_CLIENT_SECONDS}",
        )
        stack.callback(server.kill)
        row, replies, memory = _saturate(server, requests, options.rounds, amount)
        notes = [*_latencies(replies), *memory]
        notes += _endure(
            server, requests, Target(server.port, server.rest_port, clips[0], max_bytes), options
        )
        notes += _stop_under_load(server, requests, min(amount, 200))
    title = (
        f"the local server with {spec.model}, clips of {spec.num_frames} x {spec.short_side} x "
        f"{clips[0].frames.shape[3]} with {spec.num_boxes} boxes a feature frame; {_CLIENTS} "
        f"clients at a time, {amount} requests a round"
    )
    return measure.Report(title, [row], notes)


def _small() -> ConfigDict:
    config = defaults.for_variant("tiny_joint", ("tiny",))
    config.data.update(num_frames=16, num_boxes=10, crop_size=64, short_side=(64, 64))
    return config


@contextlib.contextmanager
def _exported(config: ConfigDict) -> Iterator[str]:
    """The folder of a model that never was trained."""
    config.model.dropout = 0.0
    labels = [f"class {number}" for number in range(20)]
    with tempfile.TemporaryDirectory() as folder:
        model = serving.untrained(config, "joint", len(labels))
        export.save(os.path.join(folder, "1"), model, labels, serving.clip_spec(config))
        yield folder


def _saturate(
    server: ServedProcess, requests: Sequence[Request], rounds: int, amount: int
) -> tuple[measure.Row, list[Reply], list[str]]:
    """Rounds of mixed requests: how fast, how long each took, and lines on memory."""
    order = itertools.cycle(np.random.default_rng(0).permutation(len(requests)))
    connect = functools.partial(Sender, server.port, server.rest_port)
    rates, cpu, all_replies, after = [], [], [], []
    with server.watched_memory() as samples:
        for number in range(rounds):
            chosen = [requests[next(order)] for _ in range(amount)]
            start, cpu_start = time.perf_counter(), server.cpu_seconds()
            replies, errors = known_requests.send_at_once(chosen, _CLIENTS, connect)
            seconds = time.perf_counter() - start
            check(replies, errors)
            rates.append(amount / seconds)
            cpu.append(1000 * (server.cpu_seconds() - cpu_start) / amount)
            after.append(server.memory())
            all_replies += replies
            logging.info("round %d of %d: %.1f requests/s", number + 1, rounds, rates[-1])
    row = measure.Row("mixed requests", "requests", tuple(rates), tuple(cpu), max(samples))
    lines = [
        f"{len(all_replies)} right answers, none wrong, none missing; the largest difference is "
        f"{max(reply.difference for reply in all_replies):.1e}",
        f"memory of the server: {_rounds_of_memory(samples, after)}",
    ]
    return row, all_replies, lines


def check(replies: Sequence[Reply], errors: Sequence[Exception]) -> None:
    """Raises ValueError if an answer is wrong, or missing."""
    if errors:
        raise ValueError(f"{len(errors)} requests were not answered: {errors[0]}")
    wrong = [reply for reply in replies if not reply.difference <= _TOLERANCE]
    if wrong:
        raise ValueError(
            f"{len(wrong)} of {len(replies)} answers are wrong; the first, of {wrong[0].kind}, by "
            f"{wrong[0].difference:.1e}"
        )


def _latencies(replies: Sequence[Reply]) -> Iterator[str]:
    for kind in sorted({reply.kind for reply in replies}):
        seconds = [reply.seconds for reply in replies if reply.kind == kind]
        median, slow = np.percentile(seconds, [50, 99])
        yield (
            f"{kind}: {len(seconds)} requests, p50 {1000 * median:.0f} ms, p99 {1000 * slow:.0f} ms"
        )


def _endure(
    server: ServedProcess, requests: Sequence[Request], target: Target, options: measure.Options
) -> list[str]:
    """Rounds of malformed requests, while another client goes on with good ones."""
    mistakes = [
        *malformed_messages.mistakes(target),
        *malformed_bodies.mistakes(target),
        *malformed_bytes.mistakes(target),
    ]
    before = server.holdings()
    connect = functools.partial(Sender, server.port, server.rest_port)
    after = []
    answers: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    with server.watched_memory() as samples, _good_requests(requests, connect) as replies:
        start = time.perf_counter()
        for number in range(options.rounds):
            count = options.malformed * (number + 1) // options.rounds
            count -= options.malformed * number // options.rounds
            sent = malformed_requests.send(mistakes, count, _MALFORMED_CLIENTS, seed=number)
            for name, counts in sent.items():
                answers[name] += counts
            after.append(server.memory())
            logging.info("round %d of %d: %d malformed", number + 1, options.rounds, count)
        seconds = time.perf_counter() - start
    held = _settled(server, before)
    check(*known_requests.send_at_once(requests, 2, connect))
    lines = [
        f"{options.malformed} malformed requests in {seconds:.0f} s, all answered properly; "
        f"{len(replies)} good ones among them, all right",
        f"memory meanwhile: {_rounds_of_memory(samples, after)}; open files {before[0]}, then "
        f"{held[0]}; threads {before[1]}, then {held[1]}",
    ]
    return [*lines, *_counted(answers)]


def _rounds_of_memory(samples: Sequence[int], after: Sequence[int]) -> str:
    """Resident bytes in words: at first, after each round, and at most."""
    mebibytes = ", ".join(f"{size / 2**20:.0f}" for size in after)
    return (
        f"{samples[0] / 2**20:.0f} MiB at first, {mebibytes} after each round, "
        f"{max(samples) / 2**20:.0f} at most"
    )


@contextlib.contextmanager
def _good_requests(
    requests: Sequence[Request], connect: functools.partial
) -> Iterator[list[Reply]]:
    """Sends good requests, one after the other, and checks the answers when the block ends."""
    stop = threading.Event()
    replies: list[Reply] = []
    endless = itertools.takewhile(lambda _: not stop.is_set(), itertools.cycle(requests))
    outcome = []
    thread = threading.Thread(
        target=lambda: outcome.append(known_requests.send_at_once(endless, 1, connect))
    )
    thread.start()
    try:
        yield replies
    finally:
        stop.set()
        thread.join()
    check(*outcome[0])
    replies += outcome[0][0]


def _settled(server: ServedProcess, before: tuple[int, int]) -> tuple[int, int]:
    """What the server holds when it has given up the last slow client.

    Raises:
        ValueError: it is dead, or holds on to connections.
    """
    end = time.monotonic() + 10 * _CLIENT_SECONDS + 30
    while True:
        if not server.is_alive:
            raise ValueError(f"the server has died: {server.log()}")
        after = server.holdings()
        # The one that asks is inside no longer.
        if after[0] <= before[0] + _FEW and server.metric(_INSIDE) == 0:
            return after
        if time.monotonic() > end:
            raise ValueError(f"the server holds on to {after[0]} files, before it had {before[0]}")
        time.sleep(0.5)


def _counted(answers: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for name, counts in answers.items():
        described = ", ".join(f"{answer} {count}" for answer, count in sorted(counts.items()))
        yield f"    {name}: {described}"


def _stop_under_load(server: ServedProcess, requests: Sequence[Request], amount: int) -> list[str]:
    """SIGTERM while requests arrive; what was accepted must have been answered."""
    accepted_before = server.metric(_ACCEPTED)
    answered = itertools.count(1)

    class Terminating(Sender):
        """Sends the signal along with the answer in the middle."""

        def send(self, request: Request) -> Reply:
            reply = super().send(request)
            if next(answered) == amount:
                server.terminate()
            return reply

    def nobody_is_there(error: Exception) -> bool:
        if isinstance(error, grpc.RpcError):
            return error.code() == grpc.StatusCode.UNAVAILABLE
        return isinstance(error, OSError) or str(error).startswith("503")

    connect = functools.partial(Terminating, server.port, server.rest_port)
    endless = itertools.cycle(requests)
    replies, errors = known_requests.send_at_once(endless, _CLIENTS, connect, nobody_is_there)
    check(replies, [error for error in errors if not nobody_is_there(error)])
    end = server.end()
    accepted = end.accepted - accepted_before
    if end.status != 0 or end.answered != end.accepted or len(replies) != accepted:
        raise ValueError(
            f"SIGTERM lost requests: exit status {end.status}, {accepted:.0f} were accepted under "
            f"it, and {len(replies)} answers arrived"
        )
    return [
        f"SIGTERM under load: exit status 0, {len(replies)} of {accepted:.0f} accepted requests "
        "answered, all right"
    ]
