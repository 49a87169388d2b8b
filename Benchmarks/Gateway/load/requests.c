// requests.c: the bytes of the next request. All that can be made before the run is.
#include "load.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct text {
    const char *start;
    size_t count;
};

static struct text *tokens;
static size_t token_count, token_next;
static long key_next;
static char head_end[512];
static char *body;

static void read_tokens(const char *path) {
    int file = open(path, O_RDONLY);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0 || status.st_size == 0) die("%s: no tokens", path);
    const char *text = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (text == MAP_FAILED) die("%s: cannot be mapped", path);
    close(file);
    const char *end = text + status.st_size;
    size_t capacity = 0;
    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        if (!line_end) line_end = end;
        if (line_end > text) {
            if (token_count == capacity) {
                capacity = capacity ? 2 * capacity : 1024;
                tokens = realloc(tokens, capacity * sizeof *tokens);
                if (!tokens) die("out of memory");
            }
            tokens[token_count++] = (struct text){text, (size_t)(line_end - text)};
        }
        text = line_end + 1;
    }
    if (token_count == 0) die("%s: no tokens", path);
}

void requests_prepare(void) {
    if (options.token_file) read_tokens(options.token_file);
    int count = snprintf(head_end, sizeof head_end, "\r\nHost: localhost\r\nUser-Agent: bailiwick-load/1\r\nAccept: */*\r\n");
    if (options.mode == MODE_PUT) {
        snprintf(head_end + count, sizeof head_end - (size_t)count, "Content-Length: %zu\r\n", options.body_bytes);
        // Bytes that no disk or file system can shrink, the same in every run.
        body = malloc(options.body_bytes + 1);
        uint64_t state = 0x9e3779b97f4a7c15u;
        for (size_t i = 0; i < options.body_bytes; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            body[i] = (char)(state >> 56);
        }
    }
}

size_t request_bytes_max(void) { return HEAD_BYTES_MAX + options.body_bytes; }

// Each request takes the next token, so that a file of one line repeats it and one of many never shows one twice in a round.
size_t request_next(char *buffer, size_t capacity) {
    bool is_put = options.mode == MODE_PUT;
    const char *method = is_put ? "PUT" : "GET";
    int count;
    if (is_put || options.object_count > 0) {
        long key = key_next++;
        if (options.object_count > 0) key_next %= options.object_count;
        count = snprintf(buffer, capacity, "%s %s%09ld HTTP/1.1%s", method, options.path, key, head_end);
    } else {
        count = snprintf(buffer, capacity, "%s %s HTTP/1.1%s", method, options.path, head_end);
    }
    char *at = buffer + count;
    if (token_count > 0) {
        struct text token = tokens[token_next];
        token_next = (token_next + 1) % token_count;
        if ((size_t)count + token.count + 64 > HEAD_BYTES_MAX) die("a token of %zu bytes is too long", token.count);
        at = stpcpy(at, options.is_bearer ? "Authorization: Bearer " : "x-bailiwick-authorization: ");
        at = mempcpy(at, token.start, token.count);
        at = stpcpy(at, "\r\n");
    }
    at = stpcpy(at, "\r\n");
    if (is_put) at = mempcpy(at, body, options.body_bytes);
    return (size_t)(at - buffer);
}
