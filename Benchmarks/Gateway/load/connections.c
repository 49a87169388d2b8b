// connections.c: TLS connections over one epoll instance: handshake, request, answer, again.
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum state { SHAKING, IDLE, READING_HEAD, READING_BODY, CLOSING };

struct connection {
    enum state state;
    int socket;
    SSL *ssl;
    uint64_t started;
    long body_left;
    size_t head_count;
    char head[4096];
};

static SSL_CTX *context;
static struct connection *connections;
static int dialled, epoll;
static char *request;
static char received[RECEIVE_BYTES];

static void make_context(void) {
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set1_groups_list(context, "X25519");
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF); // an end without close_notify is an end
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, options.mode == MODE_HOLD ? 4096 : RECEIVE_BYTES);
    if (options.mode == MODE_HOLD) SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    if (options.certificate &&
        (SSL_CTX_use_certificate_chain_file(context, options.certificate) != 1 ||
         SSL_CTX_use_PrivateKey_file(context, options.key, SSL_FILETYPE_PEM) != 1))
        die("%s, %s: no certificate with its key", options.certificate, options.key);
    if (SSL_CTX_load_verify_locations(context, options.authorities, NULL) != 1) die("%s: no authorities", options.authorities);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
}

static void dial(struct connection *connection) {
    int on = 1;
    connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->socket < 0) die("socket: %s", strerror(errno));
    setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // A port is chosen at connect, so that ports of connections in TIME_WAIT can serve again.
    setsockopt(connection->socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (options.source) {
        if (inet_pton(AF_INET, options.source, &address.sin_addr) != 1) die("%s is no address", options.source);
        if (bind(connection->socket, (struct sockaddr *)&address, sizeof address) != 0)
            die("bind %s: %s", options.source, strerror(errno));
    }
    address.sin_port = htons((uint16_t)options.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(connection->socket, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
        die("connect to port %d: %s", options.port, strerror(errno));
    connection->ssl = SSL_new(context);
    SSL_set_fd(connection->ssl, connection->socket);
    SSL_set_tlsext_host_name(connection->ssl, "localhost");
    SSL_set_connect_state(connection->ssl);
    connection->state = SHAKING;
    connection->started = now_nanoseconds();
    tally.shaking++;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->socket, &event) != 0) die("epoll_ctl: %s", strerror(errno));
}

static void dial_waiting(void) {
    while (dialled < options.connections && tally.shaking < HANDSHAKES_AT_A_TIME_MAX) dial(&connections[dialled++]);
}

static void hang_up(struct connection *connection) {
    SSL_free(connection->ssl);
    close(connection->socket);
    connection->ssl = NULL;
}

// A connection that went wrong is counted and replaced; too many end the run.
static void failed(struct connection *connection, const char *what) {
    if (tally.errors < 3) {
        fprintf(stderr, "%s\n", what);
        ERR_print_errors_fp(stderr);
    }
    ERR_clear_error();
    if (++tally.errors >= ERRORS_MAX) die("%d errors: nothing to measure", ERRORS_MAX);
    if (connection->state == SHAKING) tally.shaking--;
    else tally.open--;
    hang_up(connection);
    dial(connection);
}

static void send_request(struct connection *connection) {
    if (options.requests_max && tally.issued >= options.requests_max) {
        connection->state = IDLE;
        return;
    }
    tally.issued++;
    size_t count = request_next(request, request_bytes_max());
    connection->state = READING_HEAD;
    connection->head_count = 0;
    connection->started = now_nanoseconds();
    // Nothing else is under way on this connection, so that the socket's buffer has room for all of it.
    if (SSL_write(connection->ssl, request, (int)count) != (int)count) die("a request could not be written whole");
}

static void answered(struct connection *connection) {
    uint64_t now = now_nanoseconds();
    tally.answered++;
    if (tally.is_counting && now <= tally.end && tally.latency_count < tally.latency_capacity) {
        uint64_t took = now - connection->started;
        tally.latencies[tally.latency_count++] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
    }
}

static void is_shaken(struct connection *connection) {
    tally.shaking--;
    if (options.mode == MODE_HANDSHAKE) {
        // In TLS 1.3 a client is done before the server has looked at its certificate: the server's own end tells that it took it.
        connection->state = CLOSING;
        SSL_shutdown(connection->ssl);
        return;
    }
    tally.open++;
    dial_waiting();
    send_request(connection);
}

// Takes bytes of an answer's head; the number of bytes that belong to what follows, or -1 while it is not whole.
static long read_head(struct connection *connection, size_t count) {
    size_t room = sizeof connection->head - 1 - connection->head_count, before = connection->head_count;
    size_t taken = count < room ? count : room;
    memcpy(connection->head + before, received, taken);
    connection->head_count += taken;
    connection->head[connection->head_count] = 0;
    char *end = strstr(connection->head, "\r\n\r\n");
    if (!end) {
        if (taken < count) die("an answer's head is longer than %zu bytes", sizeof connection->head);
        return -1;
    }
    if (strncmp(connection->head, "HTTP/1.1 200", 12) != 0 && tally.refused++ < 3)
        fprintf(stderr, "%.*s\n", (int)(end - connection->head), connection->head);
    char *length = strcasestr(connection->head, "\r\ncontent-length:");
    if (!length || length > end) die("an answer has no Content-Length");
    connection->body_left = atol(length + 17);
    connection->state = READING_BODY;
    return (long)(count - ((size_t)(end + 4 - connection->head) - before));
}

// What SSL_read did not give: false when there is no more for now.
static void stopped_reading(struct connection *connection, int result) {
    int error = SSL_get_error(connection->ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
    if (connection->state == CLOSING && error == SSL_ERROR_ZERO_RETURN) {
        hang_up(connection);
        answered(connection);
        tally.issued++;
        dial(connection);
        return;
    }
    failed(connection, "a connection ended");
}

static void drive(struct connection *connection) {
    if (connection->state == SHAKING) {
        int result = SSL_do_handshake(connection->ssl);
        if (result != 1) {
            int error = SSL_get_error(connection->ssl, result);
            if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) failed(connection, "a handshake failed");
            return;
        }
        is_shaken(connection);
    }
    for (;;) {
        int count = SSL_read(connection->ssl, received, sizeof received);
        if (count <= 0) return stopped_reading(connection, count);
        long left = count;
        if (tally.is_counting) tally.bytes += (uint64_t)count;
        if (connection->state == READING_HEAD && (left = read_head(connection, (size_t)count)) < 0) continue;
        if (connection->state != READING_BODY || left > connection->body_left) die("bytes that belong to no answer");
        connection->body_left -= left;
        if (connection->body_left > 0) continue;
        answered(connection);
        if (options.mode == MODE_HOLD) connection->state = IDLE;
        else send_request(connection);
    }
}

void connections_open(void) {
    make_context();
    epoll = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc((size_t)options.connections, sizeof *connections);
    request = malloc(request_bytes_max());
    if (epoll < 0 || !connections || !request) die("out of memory");
    dial_waiting();
}

void connections_resume(void) {
    for (int i = 0; i < dialled; i++)
        if (connections[i].state == IDLE) send_request(&connections[i]);
}

bool connections_turn(uint64_t deadline) {
    struct epoll_event events[64];
    uint64_t now = now_nanoseconds();
    int wait = now >= deadline ? 0 : (int)((deadline - now) / 1000000) + 1;
    int count = epoll_wait(epoll, events, 64, wait > 50 ? 50 : wait);
    for (int i = 0; i < count; i++) drive(events[i].data.ptr);
    return !(options.requests_max && tally.answered >= options.requests_max);
}
