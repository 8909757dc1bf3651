# Ohne Anrede, damit eine Zeile genügt.

prompt = { $text }:
with-words = { $text } (oder: { $words })
resend = erneut

code = Bestätigungscode
issued-code = Einmalcode (Eingabetaste für das Passwort)
first-code = Ersten Code eingeben
combined = Passwort & Bestätigungscode

sent = Code an { $to } gesendet
not-sent = Senden an { $to } fehlgeschlagen
no-further = Vorerst kein weiterer Code an { $to }

sent-for-later = Code an { $to } gesendet: bitte neu anmelden, Passwort und Code in einem Feld.
needed-for-later = Ein Code ist nötig: bitte neu anmelden, Passwort und Code in einem Feld.

scan = QR-Code mit der Authenticator-App scannen, dann deren Code eingeben.
key = Schlüssel: { $key }
register = Registrierung unter { $uri }
lifetime =
    Der Schlüssel gilt { $minutes ->
        [one] eine Minute
       *[other] { $minutes } Minuten
    }.
