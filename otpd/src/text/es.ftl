# De usted.

prompt = { $text }:
with-words = { $text } (o: { $words })
resend = reenviar

code = Código de verificación
issued-code = Código de un solo uso (Intro para la contraseña)
first-code = Introduzca el primer código
combined = Contraseña y código de verificación

sent = Código enviado a { $to }
not-sent = No se pudo enviar el código a { $to }
no-further = Por ahora no hay más códigos para { $to }

sent-for-later = Código enviado a { $to }: acceda de nuevo con contraseña y código en un solo campo.
needed-for-later = Se necesita un código: acceda de nuevo con contraseña y código en un solo campo.

scan = Escanee este código QR con su aplicación e introduzca el código que muestra.
key = Clave: { $key }
register = Regístrese en { $uri }
lifetime =
    La clave es válida durante { $minutes ->
        [one] un minuto
       *[other] { $minutes } minutos
    }.
