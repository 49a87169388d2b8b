#pragma once
// SHA256_Update and its like: deprecated in favour of EVP, which costs several times the hashing of an entry (docs/PERFORMANCE.md).
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Macros of OpenSSL that Swift cannot see, as functions.
static inline long bailiwick_ctx_set_min_version(SSL_CTX *ctx, int version) { return SSL_CTX_set_min_proto_version(ctx, version); }
static inline long bailiwick_ctx_set_mode(SSL_CTX *ctx, long mode) { return SSL_CTX_set_mode(ctx, mode); }
static inline long bailiwick_ctx_clear_mode(SSL_CTX *ctx, long mode) { return SSL_CTX_clear_mode(ctx, mode); }
static inline long bailiwick_ctx_set_ticket_keys(SSL_CTX *ctx, const void *keys, long count) {
    return SSL_CTX_ctrl(ctx, SSL_CTRL_SET_TLSEXT_TICKET_KEYS, count, (void *)keys);
}
static inline long bailiwick_ctx_set_cache_mode(SSL_CTX *ctx, long mode) { return SSL_CTX_set_session_cache_mode(ctx, mode); }
static inline long bailiwick_ctx_add_chain(SSL_CTX *ctx, X509 *certificate) { return SSL_CTX_add1_chain_cert(ctx, certificate); }
static inline long bailiwick_ssl_set_server_name(SSL *ssl, const char *name) { return SSL_set_tlsext_host_name(ssl, name); }
static inline void bailiwick_bio_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void bailiwick_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }
static inline int bailiwick_stack_count(const STACK_OF(X509) *stack) { return stack ? sk_X509_num(stack) : 0; }
static inline X509 *bailiwick_stack_value(const STACK_OF(X509) *stack, int index) { return sk_X509_value(stack, index); }
static inline STACK_OF(X509) *bailiwick_stack_new(void) { return sk_X509_new_null(); }
static inline int bailiwick_stack_push(STACK_OF(X509) *stack, X509 *certificate) { return sk_X509_push(stack, certificate); }
static inline void bailiwick_stack_free(STACK_OF(X509) *stack) { sk_X509_pop_free(stack, X509_free); }
// The URI at `index` among a certificate's subject alternative names: its bytes, which live as long as `names`.
static inline const unsigned char *bailiwick_san_uri(const GENERAL_NAMES *names, int index, int *count) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
    if (name == NULL || name->type != GEN_URI) return NULL;
    *count = ASN1_STRING_length(name->d.uniformResourceIdentifier);
    return ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
}
static inline int bailiwick_san_count(const GENERAL_NAMES *names) { return names ? sk_GENERAL_NAME_num(names) : 0; }
static inline GENERAL_NAMES *bailiwick_san(const X509 *certificate) {
    return (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}
// Do both lists say that they are of the same key (RFC 5280, section 5.2.1), or neither of which one?
static inline int bailiwick_crl_key_is_same(const X509_CRL *one, const X509_CRL *other) {
    AUTHORITY_KEYID *a = (AUTHORITY_KEYID *)X509_CRL_get_ext_d2i(one, NID_authority_key_identifier, NULL, NULL);
    AUTHORITY_KEYID *b = (AUTHORITY_KEYID *)X509_CRL_get_ext_d2i(other, NID_authority_key_identifier, NULL, NULL);
    const ASN1_OCTET_STRING *first = a ? a->keyid : NULL, *second = b ? b->keyid : NULL;
    int is_same = first && second ? ASN1_OCTET_STRING_cmp(first, second) == 0 : first == second;
    AUTHORITY_KEYID_free(a);
    AUTHORITY_KEYID_free(b);
    return is_same;
}
static const uint64_t SSL_OP_NO_RENEGOTIATION_VALUE = SSL_OP_NO_RENEGOTIATION;
static const uint64_t SSL_OP_NO_COMPRESSION_VALUE = SSL_OP_NO_COMPRESSION;
static const uint64_t SSL_OP_CIPHER_SERVER_PREFERENCE_VALUE = SSL_OP_CIPHER_SERVER_PREFERENCE;
static const long SSL_MODE_NO_AUTO_CHAIN_VALUE = SSL_MODE_NO_AUTO_CHAIN;
static const long SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER_VALUE = SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER;
static inline int bailiwick_error_reason(unsigned long code) { return ERR_GET_REASON(code); }
static inline long bailiwick_ctx_set_read_ahead(SSL_CTX *ctx, int on) { return SSL_CTX_set_read_ahead(ctx, on); }
// SHA-256 on a state of 112 bytes that Swift keeps (`OpenSSL.SHA256`).
_Static_assert(sizeof(SHA256_CTX) == 112, "OpenSSL.SHA256 keeps 112 bytes");
static inline void bailiwick_sha256_begin(void *state) { SHA256_Init((SHA256_CTX *)state); }
static inline void bailiwick_sha256_add(void *state, const void *bytes, size_t count) { SHA256_Update((SHA256_CTX *)state, bytes, count); }
static inline void bailiwick_sha256_end(void *state, void *digest) { SHA256_Final((unsigned char *)digest, (SHA256_CTX *)state); }
