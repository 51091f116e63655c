"""Trying again when a server is not available: with growing, random pauses, inside one deadline.

gRPC could do this by itself, but keeps only 256 KiB of a request to send again, and a clip is
larger. The same loop serves REST.
"""

import dataclasses
import random
import time
from collections.abc import Callable
from typing import TypeVar

from stgraph_tf.serving.client.errors import RequestError

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Retries:
    """How often and when to try again.

    Only what may go well a little later is tried again, see `RequestError.passing`. Scoring a clip
    twice does no harm.

    Attributes:
        count: of retries, after the first try.
        pause: seconds before the first retry; each further pause is twice as long.
        longest_pause: seconds.
    """

    count: int = 5
    pause: float = 0.2
    longest_pause: float = 5.0

    def run(
        self,
        attempt: Callable[[float], T],
        timeout: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> T:
        """Calls `attempt` until it returns, or fails for good.

        Args:
            attempt: is given the seconds that are left.
            timeout: seconds that all tries and pauses may take together.
            clock: the time, in seconds.
            sleep: waits for some seconds.
            uniform: draws from a range. Pauses are between half and all of their nominal length, so
                that many clients do not come back at the same moment.

        Raises:
            RequestError: of the last attempt.
        """
        end = clock() + timeout
        for number in range(self.count + 1):
            try:
                return attempt(max(end - clock(), 0.0))
            except RequestError as error:
                nominal = min(self.pause * 2**number, self.longest_pause)
                pause = uniform(nominal / 2, nominal)
                last = number == self.count or clock() + pause >= end
                if not error.passing or last:
                    raise
                sleep(pause)
        raise AssertionError("the last attempt returns or raises")
