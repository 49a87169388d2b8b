#pragma once
#include <gmp.h>

// The inverse of `number` modulo `modulus`, all three big-endian numbers of `count` octets. Returns 0 where there is none. Aborts the process
// when memory is out, as GMP does. GMP's own names are macros, which Swift cannot see.
static inline int bailiwick_inverse(unsigned char *inverse, const unsigned char *number, const unsigned char *modulus, size_t count) {
    mpz_t n, m;
    mpz_init(n);
    mpz_init(m);
    mpz_import(n, count, 1, 1, 1, 0, number);
    mpz_import(m, count, 1, 1, 1, 0, modulus);
    int exists = mpz_invert(n, n, m) != 0;
    if (exists) {
        size_t length = (mpz_sizeinbase(n, 2) + 7) / 8;
        for (size_t i = 0; i < count - length; i++) inverse[i] = 0;
        mpz_export(inverse + (count - length), NULL, 1, 1, 1, 0, n);
    }
    mpz_clear(n);
    mpz_clear(m);
    return exists;
}
