// load.h: what the files of the load generator share. One thread, one epoll instance, plain structs.
#pragma once
#define _GNU_SOURCE
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mode { MODE_GET, MODE_PUT, MODE_HANDSHAKE, MODE_HOLD };

enum {
    SERVERS_MAX = 64,
    HEAD_BYTES_MAX = 16384,
    RECEIVE_BYTES = 128 << 10,
    ERRORS_MAX = 100, // then the run ends: a broken server is not measured
    HANDSHAKES_AT_A_TIME_MAX = 64,
};

// What was asked for on the command line.
struct options {
    enum mode mode;
    int port;
    const char *source;      // the address that connections leave from, or NULL
    const char *certificate; // PEM; NULL for none
    const char *key;
    const char *authorities;
    const char *path;        // for PUT its beginning: a number follows
    const char *token_file;  // one token a line; NULL for none
    long object_count;       // a GET's path is a beginning too, and so many numbers follow it in turn; 0: it is the whole path
    bool is_bearer;          // Authorization: Bearer rather than x-bailiwick-authorization
    int connections;
    double warm_seconds;
    double seconds;
    long requests_max; // 0: as many as the seconds hold
    long warm_requests; // with requests_max: so many first, then `when_warm`
    const char *when_warm; // a command for the shell
    size_t body_bytes;
    const char *label;
    int servers[SERVERS_MAX]; // processes whose time and memory are counted
    int server_count;
};

extern struct options options;

// What happened. Only what falls between `start` and `end` counts.
struct tally {
    bool is_counting;
    uint64_t start, end; // nanoseconds of CLOCK_MONOTONIC
    uint64_t bytes;
    long issued, answered, refused, errors;
    int open, shaking;
    uint32_t *latencies; // nanoseconds, saturating
    size_t latency_count, latency_capacity;
};

extern struct tally tally;

uint64_t now_nanoseconds(void);
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

// requests.c
void requests_prepare(void);
size_t request_next(char *buffer, size_t capacity);
size_t request_bytes_max(void);

// connections.c
void connections_open(void);
// Sends a request on every connection that has none under way.
void connections_resume(void);
// Drives what is ready until `deadline`; false when nothing more is to come.
bool connections_turn(uint64_t deadline);

// server.c
double server_cpu_seconds(void);
double server_resident_bytes(void);
double machine_busy_seconds(void);
double own_cpu_seconds(void);
