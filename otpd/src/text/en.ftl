# What people read at a prompt. A prompt's own colon is added by "prompt".
# ASCII only: it is also what those see whose terminal has nothing else.

prompt = { $text }:
with-words = { $text } (or: { $words })
resend = resend

code = Verification code
issued-code = One-time code (Enter for the password)
first-code = First code
combined = Password & verification code

sent = Code sent to { $to }
not-sent = No code could be sent to { $to }
no-further = No further code is sent to { $to } for now

sent-for-later = Code sent to { $to }: log in again with the password and the code in one field.
needed-for-later = A code is needed: log in again with the password and the code in one field.

scan = Scan this with an authenticator app:
give-key = Give this key to an authenticator app:
or-type-key = Or type this key into it:
key = Key
counter-based = Type: counter (HOTP)
algorithm = Algorithm: { $name }
digits = Digits: { $digits }
period =
    Period: { $seconds ->
        [one] { $seconds } second
       *[other] { $seconds } seconds
    }
within-minutes =
    Then give its first code below, within { $minutes ->
        [one] a minute
       *[other] { $minutes } minutes
    }.
within-seconds = Then give its first code below, within { $seconds } seconds.
again = Enter shows this again.
again-or-qr = Enter shows this again, "{ $qr }" shows a QR code.
again-or-views = Enter shows this again; "{ $text }" leaves out the QR code, "{ $invert }" suits light terminals.
register = Or register at { $uri }
