"""Mail by SMTP: one attempt, bounded in time as a whole."""

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from enum import StrEnum
from typing import Final

from app.domain.delivery import Answer, Failure, answered
from app.domain.mail import Mail
from app.senders.guard import NameUnknown, Resolver, addresses_of, resolve

TOTAL_SECONDS: Final = 30.0
"""The longest attempt, from the name of the server to its last word."""
SHORTEST_STEP: Final = 0.05
TAKEN: Final = 250


class Security(StrEnum):
    """How the way to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAccount:
    """The mail server, how it is reached, and in whose name mails go out."""

    host: str
    port: int
    sender: str
    sender_name: str
    security: Security = Security.STARTTLS
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None
    local_name: str | None = None


def message_of(mail: Mail, *, sender: str, sender_name: str) -> EmailMessage:
    """Return a mail as a message: plain text and HTML of the same content.

    A line break in a header is refused by the library, so nothing can be smuggled into one.
    """
    message = EmailMessage(policy=POLICY)
    name, _, domain = sender.rpartition("@")
    message["From"] = Address(sender_name, name, domain)
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = mail.at
    message["Message-ID"] = mail.message_id
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if mail.leave_url is not None:
        message["List-Unsubscribe"] = f"<{mail.leave_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(mail.text, cte="base64")
    message.add_alternative(mail.html, subtype="html", cte="base64")
    return message


class SmtpSender:
    """Sends mails through one mail server."""

    def __init__(
        self,
        account: MailAccount,
        *,
        resolver: Resolver = resolve,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        """Prepare a sender."""
        self._account = account
        self._resolver = resolver
        self._total_seconds = total_seconds
        self._ssl = ssl.create_default_context(cafile=account.ca_file)

    def send(self, mail: Mail) -> Answer:
        """Make one attempt and say what came of it; never raises for the server's doing."""
        began = time.monotonic()
        status, failure = self._try(mail, began + self._total_seconds)
        milliseconds = round((time.monotonic() - began) * 1000)
        if failure is None and status is not None:
            return answered(status, milliseconds=milliseconds)
        return Answer(status, failure, milliseconds)

    def _try(self, mail: Mail, ends: float) -> tuple[int | None, Failure | None]:
        message = message_of(
            mail, sender=self._account.sender, sender_name=self._account.sender_name
        )
        watch = _Watch()
        try:
            with self._connected(watch, ends) as client:
                client.sendmail(self._account.sender, [mail.to], message.as_bytes())
        except smtplib.SMTPRecipientsRefused as error:
            status = next(iter(error.recipients.values()))[0]
            is_final = status >= 500 and status != 552  # a full box may be emptied
            return status, Failure.RECIPIENT_REFUSED if is_final else Failure.STATUS
        except smtplib.SMTPResponseException as error:
            return error.smtp_code, Failure.TIMEOUT if watch.has_ended else Failure.STATUS
        except (ssl.SSLError, smtplib.SMTPNotSupportedError):
            return None, Failure.TIMEOUT if watch.has_ended else Failure.TLS
        except NameUnknown:
            return None, Failure.NAME_UNKNOWN
        except TimeoutError:
            return None, Failure.TIMEOUT
        except (OSError, smtplib.SMTPException, ValueError):
            return None, Failure.TIMEOUT if watch.has_ended else Failure.CONNECTION
        return TAKEN, None

    @contextmanager
    def _connected(self, watch: "_Watch", ends: float) -> Iterator[smtplib.SMTP]:
        """Give a session that is protected, logged in, and cut off when the time has passed."""
        account = self._account
        client = _Client(self._dial, ends, account.local_name)
        timer = threading.Timer(max(ends - time.monotonic(), 0), watch.end, [client])
        timer.daemon = True
        timer.start()
        try:
            if account.security is Security.TLS:
                client.wrapping = self._ssl
            client.connect(account.host, account.port)
            if account.security is Security.STARTTLS:
                client.starttls(context=self._ssl)
            if account.user is not None:
                client.login(account.user, account.password or "")
            yield client
            with suppress(OSError, smtplib.SMTPException):
                client.quit()  # the mail was taken: what comes after cannot undo it
        finally:
            timer.cancel()
            client.close()

    def _dial(self, host: str, port: int, ends: float) -> socket.socket:
        """Connect to the first address of the server that answers."""
        left = ends - time.monotonic()
        last: OSError = ConnectionError("no address")
        for address in addresses_of(host, port, resolver=self._resolver, seconds=left):
            left = max(ends - time.monotonic(), SHORTEST_STEP)
            try:
                return socket.create_connection((str(address), port), timeout=left)
            except OSError as error:
                last = error
        raise last


class _Watch:
    """Ends a session whose time has passed, whatever it waits for."""

    def __init__(self) -> None:
        self.has_ended = False

    def end(self, client: smtplib.SMTP) -> None:
        self.has_ended = True
        line = client.sock
        if line is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


class _Client(smtplib.SMTP):
    """The library's client on a connection of ours."""

    def __init__(
        self, dial: Callable[[str, int, float], socket.socket], ends: float, local_name: str | None
    ) -> None:
        self._dial = dial
        self._ends = ends
        self.wrapping: ssl.SSLContext | None = None
        super().__init__(local_hostname=local_name or "localhost")

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002 -- the library's signature
        plain = self._dial(host, port, self._ends)
        self._host = host  # against which a certificate is checked
        if self.wrapping is None:
            return plain
        return self.wrapping.wrap_socket(plain, server_hostname=host)
