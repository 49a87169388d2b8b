#pragma once
#include <zlib.h>

/* deflateInit2 is a macro. 16 on top of the window's bits asks for the gzip wrapper (zlib.h). */
static inline int bailiwick_deflate_init_gzip(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
}
