# Les espaces devant : et ; et à l'intérieur des guillemets sont insécables : {"\u00A0"}.

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

scan = À scanner avec une app d’authentification{"\u00A0"}:
give-key = À saisir dans une app d’authentification{"\u00A0"}:
or-type-key = Ou saisissez-y cette clé{"\u00A0"}:
key = Clé
counter-based = Type{"\u00A0"}: compteur (HOTP)
algorithm = Algorithme{"\u00A0"}: { $name }
digits = Chiffres{"\u00A0"}: { $digits }
period =
    Période{"\u00A0"}: { $seconds ->
        [one] { $seconds } seconde
       *[other] { $seconds } secondes
    }
within-minutes =
    Puis saisissez ci-dessous son premier code, dans { $minutes ->
        [one] la minute
       *[other] les { $minutes } minutes
    }.
within-seconds = Puis saisissez ci-dessous son premier code, dans les { $seconds } secondes.
again = Entrée réaffiche ceci.
again-or-qr = Entrée réaffiche ceci, «{"\u00A0"}{ $qr }{"\u00A0"}» affiche un code QR.
again-or-views = Entrée réaffiche ceci{"\u00A0"}; «{"\u00A0"}{ $text }{"\u00A0"}» masque le code QR, «{"\u00A0"}{ $invert }{"\u00A0"}» convient aux terminaux clairs.
register = Ou inscrivez-vous sur { $uri }
