"""A local server that misbehaves in every way that real ones do: what the tests of downloads ask for files."""

import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BODY = random.Random(0).randbytes(300_000)
WRONG = bytes([BODY[0] ^ 1]) + BODY[1:]
SHA256 = hashlib.sha256(BODY).hexdigest()
HALF = 150_000

Answer = Callable[["Handler"], None]


class Server(ThreadingHTTPServer):
    """Answers the n-th request for a path with the n-th answer of its script, and further ones with the last."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.released = threading.Event()
        self.sent = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up on what this server does: no traceback."""

    def url(self, path: str, *answers: Answer) -> str:
        self.script[path] = list(answers)
        return f"http://127.0.0.1:{self.server_port}{path}"

    def ranges(self, path: str = "/file") -> list[str | None]:
        """The Range header of each request for a path."""
        return [header for requested, header in self.requests if requested == path]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers["Range"]))
        answers = self.server.script.get(self.path, [status(404)])
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, *arguments: Any) -> None:
        pass

    @property
    def offset(self) -> int:
        return int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))

    def reply(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in ({"Content_Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def good(body: bytes = BODY) -> Answer:
    """Serve ranges as a proper server does."""

    def answer(request: Handler) -> None:
        if request.offset == 0:
            return request.reply(200, body)
        if request.offset >= len(body):
            return request.reply(416, b"", Content_Range=f"bytes */{len(body)}")
        span = f"bytes {request.offset}-{len(body) - 1}/{len(body)}"
        return request.reply(206, body[request.offset :], Content_Range=span)

    return answer


def drop(after: int, body: bytes = BODY) -> Answer:
    """Announce the whole rest and close the connection after ``after`` bytes of it."""

    def answer(request: Handler) -> None:
        rest = body[request.offset :]
        span = f"bytes {request.offset}-{len(body) - 1}/{len(body)}"
        headers = {"Content_Range": span} if request.offset else {}
        request.reply(206 if request.offset else 200, rest[:after], Content_Length=str(len(rest)), **headers)

    return answer


def stall(after: int) -> Answer:
    """Send ``after`` bytes, then keep the connection open and say nothing more."""

    def answer(request: Handler) -> None:
        request.reply(200, BODY[:after], Content_Length=str(len(BODY)))
        request.wfile.flush()
        request.server.released.wait(10)

    return answer


def ignore_range(body: bytes = BODY) -> Answer:
    return lambda request: request.reply(200, body)


def shifted_range(request: Handler) -> None:
    """Answer a request for a range with another one."""
    if request.offset == 0:
        return request.reply(200, BODY)
    return request.reply(206, BODY[7:], Content_Range=f"bytes 7-{len(BODY) - 1}/{len(BODY)}")


def bare_range(request: Handler) -> None:
    """Answer a request for a range with 206, but without saying which range it is."""
    return request.reply(206 if request.offset else 200, BODY[request.offset :])


def without_length(request: Handler) -> None:
    request.send_response(200)
    request.end_headers()
    request.wfile.write(BODY)


def status(code: int) -> Answer:
    return lambda request: request.reply(code, b"sorry")


def web_page(request: Handler) -> None:
    request.reply(200, b"<html>log in</html>", Content_Type="text/html; charset=utf-8")


def typed(body: bytes, content_type: str) -> Answer:
    return lambda request: request.reply(200, body, Content_Type=content_type)


def raw(answered: bytes) -> Answer:
    """Answer with these bytes, head and all, and hang up."""

    def answer(request: Handler) -> None:
        request.wfile.write(answered)
        request.close_connection = True

    return answer


def head(*lines: str, code: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {code}", *lines, "", ""]).encode()


def redirect(location: str, code: int = 302) -> Answer:
    return raw(head(f"Location: {location}", "Content-Length: 0", code=f"{code} Elsewhere"))


def ask_to_wait(retry_after: str, code: int = 503) -> Answer:
    return lambda request: request.reply(code, b"later", Retry_After=retry_after)


def in_chunks(*chunks: bytes, ended: bool = True) -> Answer:
    """Send a body of unknown length in chunks, with or without the mark of its end."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return raw(head("Transfer-Encoding: chunked") + body + (b"0\r\n\r\n" if ended else b""))


def with_range(told: str, body: bytes, code: str = "206 Partial Content") -> Answer:
    """Answer every request with this range."""
    return raw(head(f"Content-Range: {told}", f"Content-Length: {len(body)}", code=code) + body)


def versions(*bodies: tuple[str, bytes, int]) -> list[Answer]:
    """Each answer is of a version of the file, (its ETag, all its bytes, how many are sent before the end)."""

    def answer(tag: str, body: bytes, after: int, request: Handler) -> None:
        rest, end = body[request.offset :], len(body) - 1
        headers = {"Content_Range": f"bytes {request.offset}-{end}/{len(body)}"} if request.offset else {}
        headers |= {"ETag": tag} if tag else {}
        request.reply(206 if request.offset else 200, rest[:after], Content_Length=str(len(rest)), **headers)

    return [partial(answer, *version) for version in bodies]


def repeated(start: bytes, again: bytes, pause: float = 0.0) -> Answer:
    """Send ``start``, then ``again`` without end (until the client hangs up), after a pause each."""

    def answer(request: Handler) -> None:
        request.close_connection = True
        with suppress(OSError):
            request.wfile.write(start)
            while not request.server.released.wait(pause):
                request.wfile.write(again)
                request.server.sent += len(again)

    return answer


def silent(request: Handler) -> None:
    """Take the request and say nothing."""
    request.server.released.wait(10)


@contextmanager
def running_server() -> Iterator[Server]:
    """A server that answers until the block ends."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()
