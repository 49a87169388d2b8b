// mint KEY.pem KID COUNT FIRST: so many authorizations on standard output, one a line, that differ in their jti alone, signed with
// ES256. `bailiwick token issue` makes one in some milliseconds; a run needs tens of thousands. They also carry `jurisdiction` as a
// claim of its own, which Bailiwick ignores, so that the peers can be given the very same tokens.
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TEXT_BYTES_MAX = 4096, SIGNATURE_BYTES = 64 };

static void fail(const char *what) {
    fprintf(stderr, "mint: %s\n", what);
    exit(1);
}

// base64url without padding (RFC 7515, section 2).
static size_t encode(char *out, const void *bytes, size_t count) {
    int length = EVP_EncodeBlock((unsigned char *)out, bytes, (int)count);
    while (length > 0 && out[length - 1] == '=') length--;
    for (int i = 0; i < length; i++) out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    return (size_t)length;
}

static int claims(char *out, size_t capacity, long number, long now) {
    return snprintf(out, capacity,
        "{\"iss\":\"https://authorizations.example.ie\",\"sub\":\"ediscovery\",\"aud\":[\"dub1-gw1\"],\"jti\":\"bench-%ld\",\"iat\":%ld,"
        "\"nbf\":%ld,\"exp\":%ld,\"jurisdiction\":\"IE\",\"authorization_details\":[{\"type\":\"mailbox-read\",\"jurisdiction\":\"IE\","
        "\"mailboxes\":[\"alice\"],\"data\":[\"content\"]}],\"legal_basis\":{\"instrument\":\"warrant\",\"reference\":\"2026/CCC/118\","
        "\"authority\":{\"name\":\"Central Criminal Court\",\"country\":\"IE\"},\"requester\":\"law-enforcement\"}}",
        number, now, now - 60, now + 150L * 3600);
}

// ES256 is r and s, 32 bytes each (RFC 7518, section 3.4), not the DER that OpenSSL makes.
static void sign(EVP_PKEY *key, const char *text, size_t count, unsigned char out[SIGNATURE_BYTES]) {
    unsigned char der[128];
    size_t length = sizeof der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestSign(context, der, &length, (const unsigned char *)text, count) != 1)
        fail("the key does not sign");
    EVP_MD_CTX_free(context);
    const unsigned char *at = der;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)length);
    if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, 32) != 32 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + 32, 32) != 32)
        fail("no P-256 key");
    ECDSA_SIG_free(signature);
}

int main(int count, char **arguments) {
    if (count != 5) fail("KEY.pem KID COUNT FIRST");
    FILE *file = fopen(arguments[1], "r");
    EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
    if (!key) fail("the key cannot be read");
    long tokens = atol(arguments[3]), first = atol(arguments[4]), now = (long)time(NULL);
    char head[256], body[TEXT_BYTES_MAX], text[2 * TEXT_BYTES_MAX];
    int head_count = snprintf(head, sizeof head, "{\"alg\":\"ES256\",\"typ\":\"bailiwick-authorization+jwt\",\"kid\":\"%s\"}", arguments[2]);
    for (long i = 0; i < tokens; i++) {
        unsigned char signature[SIGNATURE_BYTES];
        size_t length = encode(text, head, (size_t)head_count);
        text[length++] = '.';
        length += encode(text + length, body, (size_t)claims(body, sizeof body, first + i, now));
        sign(key, text, length, signature);
        text[length++] = '.';
        length += encode(text + length, signature, sizeof signature);
        text[length++] = '\n';
        if (fwrite(text, 1, length, stdout) != length) fail("standard output is full");
    }
    return fclose(stdout) == 0 ? 0 : 1;
}
