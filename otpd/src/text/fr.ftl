# L'espace devant les deux-points est insécable : {"\u00A0"}.

prompt = { $text }{"\u00A0"}:
with-words = { $text } (ou{"\u00A0"}: { $words })
resend = renvoyer

code = Code de vérification
issued-code = Code à usage unique (Entrée pour le mot de passe)
first-code = Saisissez le premier code
combined = Mot de passe et code de vérification

sent = Code envoyé à { $to }
not-sent = Échec de l’envoi à { $to }
no-further = Aucun autre code à { $to } pour l’instant

sent-for-later = Code envoyé à { $to }{"\u00A0"}: reconnectez-vous, mot de passe et code dans un seul champ.
needed-for-later = Un code est requis{"\u00A0"}: reconnectez-vous, mot de passe et code dans un seul champ.

scan = Scannez ce code QR avec votre application, puis saisissez le code affiché.
key = Clé{"\u00A0"}: { $key }
register = Inscription sur { $uri }
lifetime =
    La clé est valable { $minutes ->
        [one] une minute
       *[other] { $minutes } minutes
    }.
