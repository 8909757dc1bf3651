# What people read at a prompt. A prompt's own colon is added by "prompt".
# ASCII only: it is also what those see whose terminal has nothing else.

prompt = { $text }:
with-words = { $text } (or: { $words })
resend = resend

code = Verification code
issued-code = One-time code (Enter for the password)
first-code = Enter the first code
combined = Password & verification code

sent = Code sent to { $to }
not-sent = No code could be sent to { $to }
no-further = No further code is sent to { $to } for now

sent-for-later = Code sent to { $to }: log in again with the password and the code in one field.
needed-for-later = A code is needed: log in again with the password and the code in one field.

scan = Scan this QR code with your authenticator app, then enter its code.
key = Key: { $key }
register = Register at { $uri }
lifetime =
    The key is good for { $minutes ->
        [one] one minute
       *[other] { $minutes } minutes
    }.
