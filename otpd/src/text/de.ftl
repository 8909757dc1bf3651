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

scan = Mit einer Authenticator-App scannen:
give-key = In eine Authenticator-App eingeben:
or-type-key = Oder diesen Schlüssel eingeben:
key = Schlüssel
counter-based = Typ: Zähler (HOTP)
algorithm = Algorithmus: { $name }
digits = Stellen: { $digits }
period =
    Intervall: { $seconds ->
        [one] { $seconds } Sekunde
       *[other] { $seconds } Sekunden
    }
within-minutes =
    Dann hier innerhalb { $minutes ->
        [one] einer Minute
       *[other] von { $minutes } Minuten
    } den ersten Code der App eingeben.
within-seconds = Dann hier innerhalb von { $seconds } Sekunden den ersten Code der App eingeben.
again = Enter zeigt dies erneut an.
again-or-qr = Enter zeigt dies erneut an, „{ $qr }“ einen QR-Code.
again-or-views = Enter zeigt dies erneut an; „{ $text }“ lässt den QR-Code weg, „{ $invert }“ passt zu hellen Terminals.
register = Oder registrieren unter { $uri }
