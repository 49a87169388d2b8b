#pragma once
// Debian's library picks the widest registers that the processor has; its header puts those functions in the place of the others.
#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

static inline XXH128_hash_t bailiwick_xxh3_128(const void *bytes, size_t count) { return XXH3_128bits(bytes, count); }
