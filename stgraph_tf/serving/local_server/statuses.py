"""What is wrong with a request, as gRPC and as HTTP say it."""

import re
import traceback

import grpc

# As TF Serving's REST interface translates them.
_HTTP_STATUSES = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}
# A status travels in a header, and headers are bounded.
_LONGEST_MESSAGE = 1000


class RequestError(Exception):
    """A request that is answered with an error.

    Args:
        code: gRPC's.
        message: a sentence for the client.
        http_status: where it is not the one that goes with `code`.
    """

    def __init__(self, code: grpc.StatusCode, message: str, http_status: int | None = None):
        message = message[:_LONGEST_MESSAGE]
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status or _HTTP_STATUSES.get(code, 500)


def invalid(message: str) -> RequestError:
    """The client's mistake."""
    return RequestError(grpc.StatusCode.INVALID_ARGUMENT, message)


def let_go(error: BaseException) -> None:
    """Lets go what the functions held that an error came through: the request, above all.

    A future holds its error, the error its traceback, the traceback the functions that waited, and
    those hold the future. Python looks for such rings the more rarely the more it has in memory;
    beside TensorFlow that is after thousands of requests.
    """
    behind: BaseException | None = error
    while behind:
        traceback.clear_frames(behind.__traceback__)
        behind = behind.__cause__ or behind.__context__


def of_tensorflow(code: int, message: str) -> RequestError:
    """What TensorFlow raised, without its graph's jargon.

    Args:
        code: `error_code` of a `tf.errors.OpError`; the numbers are gRPC's.
        message: its `message`.
    """
    message = re.sub(r"\[\[\{\{.*?\}\}.*?\]\]|\{\{.*?\}\}|\[Op:\w+\]", "", message)
    message = re.sub(r"Graph execution error:|<stack traces unavailable>", "", message)
    message = re.sub(r"Detected at node .* \(most recent call last\):", "", message)
    return RequestError(_CODES.get(code, grpc.StatusCode.UNKNOWN), " ".join(message.split()))
