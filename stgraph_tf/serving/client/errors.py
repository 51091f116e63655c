"""A request that failed: why, in a sentence that tells what to do."""

# The status of a request, by its name in gRPC; REST's numbers are translated to them.
INVALID_ARGUMENT = "INVALID_ARGUMENT"
NOT_FOUND = "NOT_FOUND"
UNAVAILABLE = "UNAVAILABLE"
DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
INTERNAL = "INTERNAL"
CANCELLED = "CANCELLED"

_SMALLER = (
    "send compressed frames (the signature encoded_frames), clips instead of the whole film, or "
    "smaller frames"
)


class RequestError(OSError):
    """A server did not answer with what it was asked for.

    Attributes:
        code: the status' name in gRPC, such as `UNAVAILABLE`.
        passing: whether it may go well a little later: the server is starting, its queue is full,
            or the connection broke.
    """

    def __init__(self, code: str, message: str, *, passing: bool = False):
        super().__init__(message)
        self.code = code
        self.passing = passing


def answered(server: str, code: str, details: str) -> RequestError:
    """The error for a server's answer `code`, with its own words."""
    details = " ".join(details.split())
    if code == UNAVAILABLE:
        message = f"the server {server} is not available: {details}"
        return RequestError(code, message, passing=True)
    if code == RESOURCE_EXHAUSTED:
        if "larger than max" in details:  # So gRPC puts it.
            return refused_size(server, details)
        return RequestError(code, f"the server {server} is too busy: {details}", passing=True)
    return RequestError(code, f"{server} answered {code}: {details}")


def refused_size(server: str, details: str) -> RequestError:
    """The error for a request that the server found too large."""
    return RequestError(
        RESOURCE_EXHAUSTED, f"the message is larger than {server} takes ({details}): {_SMALLER}"
    )


def too_late(server: str, timeout: float) -> RequestError:
    """The error for a request that took longer than it may."""
    return RequestError(
        DEADLINE_EXCEEDED,
        f"{server} did not answer within {timeout:g} s; a longer timeout, or fewer requests in "
        f"flight, may help",
    )


def too_large(size: int, limit: int) -> RequestError:
    """The error for a request of `size` bytes that is not even sent."""
    return RequestError(
        RESOURCE_EXHAUSTED,
        f"the message would have {size / 1e6:.1f} MB, and {limit / 1e6:.1f} MB is the limit that "
        f"was set: {_SMALLER}, or set a higher limit here and on the server",
    )
