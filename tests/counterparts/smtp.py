"""A mail server: aiosmtpd, with each message that it takes as a JSON document on a line of a file.

smtp.py PORT start|implicit|plain INBOX [CERTIFICATE KEY ACCOUNT]

With an account, a file with a line for the user and one for the password, nobody else sends; in the
mode `start` not before STARTTLS.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Inbox:
    """Writes down what arrives."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        taken = {
            "to": ",".join(envelope.rcpt_tos),
            "from": envelope.mail_from,
            "subject": mail["subject"] or "",
            "text": mail.get_content(),
            "headers": [[name, str(value)] for name, value in mail.items()],
            "raw": envelope.content.decode("utf-8", "replace"),
            "encrypted": server.transport.get_extra_info("ssl_object") is not None,
        }
        self.file.write(json.dumps(taken) + "\n")
        self.file.flush()
        return "250 2.0.0 taken"


def main():
    port, mode, inbox, *rest = sys.argv[1:]
    context, known = None, []
    if rest:
        with open(rest[2], "rb") as account:
            known = account.read().splitlines()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(rest[0], rest[1])

    def knows(server, session, envelope, mechanism, data):
        fits = isinstance(data, LoginPassword) and [data.login, data.password] == known
        return AuthResult(success=fits, handled=False)

    def session():
        return SMTP(
            handler,
            hostname="mail.example.net",
            tls_context=context if mode == "start" else None,
            require_starttls=mode == "start",
            authenticator=knows,
            auth_required=bool(known),
            # An implicitly encrypted connection is encrypted, whatever aiosmtpd takes it for.
            auth_require_tls=mode == "start",
            loop=loop,
        )

    handler = Inbox(inbox)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    encrypted = context if mode == "implicit" else None
    loop.run_until_complete(loop.create_server(session, "127.0.0.1", int(port), ssl=encrypted))
    loop.run_forever()


main()
