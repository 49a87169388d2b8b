// loadgen: HTTP/1.1 over TLS 1.3 with client certificates, from one thread. `loadgen -h` says how to call it.
#include "load.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct options options = {.port = 8443, .connections = 64, .warm_seconds = 0.7, .seconds = 3, .path = "/", .label = ""};
struct tally tally;

static const char usage[] =
    "loadgen -p PORT -A AUTHORITIES -c CERTIFICATE -k KEY [OPTION...]: prints one line of JSON\n"
    "  -m get|put|handshake|hold   GET of -u again and again (the default); PUT of -b bytes under -u and a number; full handshakes;\n"
    "                              as many connections as -n says, each with one answer, held until the line is told what they cost\n"
    "  -u PATH -s SOURCE-ADDRESS -n CONNECTIONS (64) -b BODY-BYTES (4096) -l LABEL\n"
    "  -O COUNT   so many objects in turn: -u and a number, as PUT names them\n"
    "  -t FILE    a token a line, the next one for each request; in x-bailiwick-authorization, or with -B as Authorization: Bearer\n"
    "  -w SECONDS -d SECONDS       how long to warm up (0.7) and to measure (3)\n"
    "  -N REQUESTS                 instead: exactly so many requests, then the end; with -W REQUESTS so many before, which do not count,\n"
    "                              and with -X COMMAND that command between them, while nothing is under way\n"
    "  -P PID     a server's process: its CPU time and memory are counted; repeatable\n";

uint64_t now_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("loadgen: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

static enum mode mode_named(const char *name) {
    static const char *const names[] = {"get", "put", "handshake", "hold"};
    for (int i = 0; i < 4; i++)
        if (strcmp(names[i], name) == 0) return (enum mode)i;
    die("no mode %s", name);
}

static void parse(int count, char **arguments) {
    options.body_bytes = 4096;
    int option;
    while ((option = getopt(count, arguments, "hm:p:A:c:k:u:s:n:b:l:O:t:Bw:d:N:W:X:P:")) != -1) switch (option) {
        case 'm': options.mode = mode_named(optarg); break;
        case 'p': options.port = atoi(optarg); break;
        case 'A': options.authorities = optarg; break;
        case 'c': options.certificate = optarg; break;
        case 'k': options.key = optarg; break;
        case 'u': options.path = optarg; break;
        case 's': options.source = optarg; break;
        case 'n': options.connections = atoi(optarg); break;
        case 'b': options.body_bytes = (size_t)atol(optarg); break;
        case 'O': options.object_count = atol(optarg); break;
        case 'l': options.label = optarg; break;
        case 't': options.token_file = optarg; break;
        case 'B': options.is_bearer = true; break;
        case 'w': options.warm_seconds = atof(optarg); break;
        case 'd': options.seconds = atof(optarg); break;
        case 'N': options.requests_max = atol(optarg); break;
        case 'W': options.warm_requests = atol(optarg); break;
        case 'X': options.when_warm = optarg; break;
        case 'P':
            if (options.server_count == SERVERS_MAX) die("more than %d processes", SERVERS_MAX);
            options.servers[options.server_count++] = atoi(optarg);
            break;
        default: fputs(usage, option == 'h' ? stdout : stderr); exit(option == 'h' ? 0 : 64);
        }
    if (!options.authorities || options.connections < 1) die("-A and at least one connection are needed; see -h");
}

static int compare(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static double microseconds(double share) {
    if (tally.latency_count == 0) return 0;
    return tally.latencies[(size_t)((double)(tally.latency_count - 1) * share)] / 1000.0;
}

// So many requests first; then the command, while the server has nothing to do.
static void warm_up(void) {
    long requests = options.requests_max;
    options.requests_max = options.warm_requests;
    while (connections_turn(UINT64_MAX)) {}
    if (options.when_warm && system(options.when_warm) != 0) die("%s failed", options.when_warm);
    options.requests_max += requests;
    connections_resume();
}

static int measure(void) {
    if (options.requests_max && options.warm_requests) warm_up();
    double server = 0, busy = 0, own = 0;
    uint64_t now = now_nanoseconds(), never = now + 3600u * 1000000000ull;
    tally.start = options.requests_max ? now : now + (uint64_t)(options.warm_seconds * 1e9);
    tally.end = never;
    bool goes_on = true;
    while (goes_on && now < tally.end) {
        if (!tally.is_counting && now >= tally.start) {
            tally.is_counting = true;
            tally.start = now;
            tally.end = options.requests_max ? never : now + (uint64_t)(options.seconds * 1e9);
            server = server_cpu_seconds(), busy = machine_busy_seconds(), own = own_cpu_seconds();
        }
        goes_on = connections_turn(tally.is_counting ? tally.end : tally.start);
        now = now_nanoseconds();
    }
    server = server_cpu_seconds() - server, own = own_cpu_seconds() - own, busy = machine_busy_seconds() - busy;
    double seconds = (double)(now - tally.start) / 1e9, count = (double)tally.latency_count;
    qsort(tally.latencies, tally.latency_count, sizeof *tally.latencies, compare);
    printf("{\"label\": \"%s\", \"requests\": %.0f, \"seconds\": %.4f, \"per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
           "\"bytes_per_second\": %.0f, \"server_cpu_seconds\": %.4f, \"per_cpu_second\": %.1f, \"load_cpu_seconds\": %.4f, "
           "\"foreign_cpu_seconds\": %.2f, \"errors\": %ld, \"refused\": %ld}\n",
        options.label, count, seconds, count / seconds, microseconds(0.5), microseconds(0.99), (double)tally.bytes / seconds, server,
        server > 0 ? count / server : 0, own, busy - own - server > 0 ? busy - own - server : 0, tally.errors, tally.refused);
    // A refusal is quick: figures with refusals in them are no figures.
    return tally.errors == 0 && tally.refused == 0 && count > 0 ? 0 : 1;
}

static int hold(void) {
    double before = server_resident_bytes();
    uint64_t until = now_nanoseconds() + 120u * 1000000000ull;
    while (tally.answered < options.connections) {
        if (now_nanoseconds() > until) die("%ld of %d connections after two minutes", tally.answered, options.connections);
        connections_turn(until);
    }
    // Whatever the server still has to do for the last of them, it does now.
    for (uint64_t rest = now_nanoseconds() + (uint64_t)(options.seconds * 1e9); now_nanoseconds() < rest;) connections_turn(rest);
    double after = server_resident_bytes();
    printf("{\"label\": \"%s\", \"connections\": %d, \"resident_before\": %.0f, \"resident_after\": %.0f, \"bytes_each\": %.0f, "
           "\"errors\": %ld, \"refused\": %ld}\n",
        options.label, tally.open, before, after, (after - before) / options.connections, tally.errors, tally.refused);
    return tally.errors == 0 && tally.refused == 0 && tally.open == options.connections ? 0 : 1;
}

int main(int count, char **arguments) {
    parse(count, arguments);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    tally.latency_capacity = 8000000;
    tally.latencies = malloc(tally.latency_capacity * sizeof *tally.latencies);
    if (!tally.latencies) die("out of memory");
    requests_prepare();
    connections_open();
    return options.mode == MODE_HOLD ? hold() : measure();
}
