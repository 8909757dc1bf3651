"""Codes of otpauth URIs, as pyotp reads them from standard input, one a line.

otpauth.py TIME

For each a JSON document: whose it is, who issued it, and its code, of a time-based one at TIME.
"""

import json
import sys

import pyotp

for line in sys.stdin.read().split("\n")[:-1]:
    token = pyotp.parse_uri(line)
    if isinstance(token, pyotp.HOTP):
        code = token.at(0)
    else:
        code = token.at(int(sys.argv[1]))
    print(json.dumps({"user": token.name, "issuer": token.issuer, "code": code}))
