"""revocations.py KEY ISSUER KID SECONDS [JTI...]: an issuer's signed revocation list (DESIGN section 5) that ends so many seconds from
now, under its ES256 key, on standard output. Written beside the project's own code, after the JOSE specifications."""
import base64
import json
import sys
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

path, issuer, kid, seconds, *revoked = sys.argv[1:]
with open(path, "rb") as file:
    key = serialization.load_pem_private_key(file.read(), None)


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


now = int(time.time())
head = {"typ": "bailiwick-revocations+jwt", "alg": "ES256", "kid": kid}
claims = {"iss": issuer, "iat": now, "exp": now + int(seconds), "revoked": revoked}
signed = part(json.dumps(head).encode()) + b"." + part(json.dumps(claims).encode())
r, s = utils.decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
print((signed + b"." + part(r.to_bytes(32, "big") + s.to_bytes(32, "big"))).decode())
