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

scan = Escanee esto con una app de autenticación:
give-key = Clave para una app de autenticación:
or-type-key = O introduzca esta clave en ella:
key = Clave
counter-based = Tipo: contador (HOTP)
algorithm = Algoritmo: { $name }
digits = Dígitos: { $digits }
period =
    Periodo: { $seconds ->
        [one] { $seconds } segundo
       *[other] { $seconds } segundos
    }
within-minutes =
    Luego introduzca el primer código, en menos de { $minutes ->
        [one] un minuto
       *[other] { $minutes } minutos
    }.
within-seconds = Luego introduzca el primer código, en menos de { $seconds } segundos.
again = Intro vuelve a mostrar esto.
again-or-qr = Intro vuelve a mostrar esto, «{ $qr }» muestra un código QR.
again-or-views = Intro vuelve a mostrar esto; «{ $text }» quita el código QR, «{ $invert }» es para terminales claros.
register = O regístrese en { $uri }
