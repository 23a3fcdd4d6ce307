"""Mail through an SMTP server."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import formatdate, make_msgid

import msgspec

from serinus.analysis.providers.http.failures import is_lasting, reason
from serinus.notifications.services.service import SECONDS, Delayed, NotificationService, Refused, SendRequest

IMPLICIT_TLS = 465


class EmailOptions(msgspec.Struct):
    host: str = ""
    port: int = 0
    username: str = ""
    password: str = ""
    from_: str = msgspec.field(default="", name="from")
    html: bool = False
    insecure_skip_verify: bool = False


class EmailSection(msgspec.Struct):
    subject: str = ""
    body: str = ""


class Email(NotificationService[EmailOptions, EmailSection]):
    type = "email"
    section = "email"
    merges = True
    Options = EmailOptions
    Section = EmailSection

    def check(self, options: EmailOptions) -> str:
        if not options.host or not options.port:
            return "host and port are needed"
        return "from is missing" if not options.from_ else ""

    def host(self, options: EmailOptions, recipient: str) -> str:
        return f"{options.host}:{options.port}"

    async def send(self, options: EmailOptions, job: SendRequest) -> Mapping[str, str] | None:
        section: EmailSection | None = job.section
        recipients = [part.strip() for part in job.recipient.split(",") if part.strip()]
        if not recipients:
            raise Refused("the recipient is no mail address")
        mail = _mail(options, recipients, section, job)
        line = SmtpConnection()
        try:
            await asyncio.to_thread(_send, options, recipients, mail, line)
        except asyncio.CancelledError:
            line.cut()
            raise
        except smtplib.SMTPRecipientsRefused as error:
            code = max((code for code, _ in error.recipients.values()), default=550)
            raise _failure(code, f"{options.host}: no recipient was accepted") from None
        except smtplib.SMTPResponseException as error:
            reply = (
                error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
            )
            raise _failure(error.smtp_code, f"{options.host} answered {error.smtp_code} {reply[:200]}") from None
        except smtplib.SMTPException as error:
            raise Delayed(f"{options.host}:{options.port}: {error or type(error).__name__}") from None
        except OSError as error:
            text = f"{options.host}:{options.port}: {reason(error)}"
            raise Refused(text) if is_lasting(error) else Delayed(text) from None
        except ValueError:  # smtplib writes ASCII only, without line breaks
            raise Refused("an address has a character that SMTP does not allow") from None
        return None


def _failure(code: int, message: str) -> Exception:
    """The error for a reply. A code below 0 stands for a reply that is not of SMTP."""
    if code < 0:
        return Refused(message.replace(str(code), "without a reply code:", 1))
    return Delayed(message) if 400 <= code < 500 else Refused(message)


def _mail(options: EmailOptions, recipients: list[str], section: EmailSection | None, job: SendRequest) -> bytes:
    mail = EmailMessage(policy=WIRE)
    try:
        mail["From"] = options.from_
        mail["To"] = ", ".join(recipients)
        mail["Subject"] = " ".join((section.subject if section else "").split())
    except ValueError as error:
        raise Refused(f"the mail has a header that cannot be sent: {error}") from None
    mail["Date"] = formatdate(job.reach.clock())
    # The same in each attempt, so that servers recognise a repetition.
    mail["Message-ID"] = job.done.setdefault("id", make_msgid(domain="serinus"))
    body = (section.body if section else "") or job.message
    mail.set_content(body, subtype="html" if options.html else "plain", charset="utf-8", cte="quoted-printable")
    return mail.as_bytes()


class SmtpConnection:
    """The connection of one attempt. `cut`, from another thread, ends the thread that reads from it."""

    def __init__(self) -> None:
        self._sock: socket.socket | None = None
        self._is_cut = False

    def use(self, sock: socket.socket | None) -> None:
        self._sock = sock
        if self._is_cut:
            raise smtplib.SMTPServerDisconnected("the attempt is out of time")

    def cut(self) -> None:
        self._is_cut = True
        if self._sock is not None:
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)


class _Plain(smtplib.SMTP):
    def __init__(self, line: SmtpConnection, host: str, port: int) -> None:
        self._line = line
        super().__init__(host, port, timeout=SECONDS)

    def getreply(self) -> tuple[int, bytes]:
        self._line.use(self.sock)
        return super().getreply()


class _Secure(smtplib.SMTP_SSL):
    def __init__(self, line: SmtpConnection, host: str, port: int, context: ssl.SSLContext) -> None:
        self._line = line
        super().__init__(host, port, timeout=SECONDS, context=context)

    def getreply(self) -> tuple[int, bytes]:
        self._line.use(self.sock)
        return super().getreply()


def _send(options: EmailOptions, recipients: list[str], mail: bytes, line: SmtpConnection) -> None:
    context = ssl.create_default_context()
    if options.insecure_skip_verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    has_login = bool(options.username and options.password)
    if options.port == IMPLICIT_TLS and has_login:
        server: smtplib.SMTP = _Secure(line, options.host, options.port, context)
    else:
        server = _Plain(line, options.host, options.port)
    try:
        server.ehlo()
        if not isinstance(server, smtplib.SMTP_SSL) and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        if has_login:
            server.login(options.username, options.password)
        server.sendmail(options.from_, recipients, mail)
        with suppress(smtplib.SMTPException, OSError):
            server.putcmd("QUIT")  # the server has the mail: its reply does not matter
    finally:
        server.close()
