"""A mail server on a real socket, as well or as badly behaved as a test asks."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class MailServer:
    """Takes mails, and answers as it is told to.

    ``troubles`` are used up one by one: a reply to the end of DATA, or ``"drop"`` to close the
    connection in the middle of it, or ``"lost"`` to take the mail and drop before saying so; an
    empty one is none.
    """

    troubles: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    port: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def handle_RCPT(  # noqa: N802 -- the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take an address, or refuse it."""
        del server, session, options
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 -- the library's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a mail, or do what was asked for."""
        del session
        with self._lock:
            trouble = self.troubles.pop(0) if self.troubles else None
        transport = server.transport
        if trouble == "drop" and isinstance(transport, asyncio.Transport):
            transport.abort()
            return "421 gone"
        if trouble not in (None, "", "lost"):
            return str(trouble)
        content = envelope.content
        if not isinstance(content, bytes):
            raise TypeError("a mail comes as bytes")
        message = message_from_bytes(content, policy=policy.default)
        if not isinstance(message, EmailMessage):
            raise TypeError("not a mail")
        with self._lock:
            self.taken += [(to, message) for to in envelope.rcpt_tos]
        if trouble == "lost" and isinstance(transport, asyncio.Transport):
            transport.abort()
        return "250 taken"

    @property
    def messages(self) -> list[EmailMessage]:
        """Return the mails in the order of their coming."""
        with self._lock:
            return [message for _, message in self.taken]


@contextmanager
def mail_server(
    server: MailServer | None = None, *, ssl_context: ssl.SSLContext | None = None, **options: Any
) -> Iterator[MailServer]:
    """Run a mail server on a free port of this machine, on a thread of its own."""
    made = server or MailServer()
    listening = socket.create_server(("127.0.0.1", 0))
    made.port = int(listening.getsockname()[1])
    loop = asyncio.new_event_loop()

    async def serve() -> asyncio.Server:
        return await loop.create_server(
            lambda: SMTP(made, hostname="mail.test", loop=loop, **options),
            sock=listening,
            ssl=ssl_context,
        )

    running = loop.run_until_complete(serve())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(running.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        _finish(loop)


def _finish(loop: asyncio.AbstractEventLoop) -> None:
    """Let go of connections that are still open."""

    async def let_go() -> None:
        waiting = asyncio.all_tasks() - {asyncio.current_task()}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    loop.run_until_complete(let_go())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def checks(user: str, password: str) -> Any:
    """Return what lets one account in and nobody else."""

    def check(*told: Any) -> AuthResult:
        data = told[-1]
        fits = isinstance(data, LoginPassword) and (data.login, data.password) == (
            user.encode(),
            password.encode(),
        )
        return AuthResult(success=fits, handled=False)

    return check


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return the context of a server with a certificate of its own, and that certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    begins = datetime(2020, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=36_500))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "mail.pem", folder / "mail.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, private)
    return context, chain


@contextmanager
def slow_server(line: bytes = b"2", every: float = 0.05) -> Iterator[int]:
    """Run a server that greets one byte at a time and never ends its line; give its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def drip() -> None:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            while not stop.wait(every):
                try:
                    connection.sendall(line)
                except OSError:
                    return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        stop.set()
        listening.close()
        thread.join(5)
