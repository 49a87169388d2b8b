// durable: what the disk and the kernel alone can do, the measure that bailiwickd is held against. One line of JSON.
//   durable write FOLDER SECONDS            one O_DIRECT|O_DSYNC write of 4 KiB after the other, into a file of zeros
//   durable put FOLDER SECONDS THREADS      objects of 4 KiB by the durable calls of a PUT: one log write for all that wait together, then
//                                           O_TMPFILE, write, one attribute, fsync, linkat, fsync of the folder
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGE_BYTES = 4096,
    OBJECT_BYTES = 4096,
    ATTRIBUTE_BYTES = 220, // what a sealed tag and an ETag take
    ENTRY_BYTES = 900,     // a decision and its share of a completion
    LOG_BYTES = 8 << 20,
    THREADS_MAX = 256,
    SAMPLES_MAX = 4 << 20,
};

static int folder, log_file;
static off_t log_offset;
static char *log_page;
static uint64_t until;
static double *samples;
static size_t sample_count;

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "durable: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_microseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

// A segment as the log makes them: zeros on disk beforehand, so that a write changes no metadata.
static void open_log(void) {
    int file = openat(folder, "log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char *zeros = calloc(1, LOG_BYTES);
    if (file < 0 || !zeros || write(file, zeros, LOG_BYTES) != LOG_BYTES || fsync(file) != 0) fail("log");
    close(file);
    free(zeros);
    log_file = openat(folder, "log", O_WRONLY | O_DIRECT | O_DSYNC | O_CLOEXEC);
    if (log_file < 0) log_file = openat(folder, "log", O_WRONLY | O_DSYNC | O_CLOEXEC); // a file system without O_DIRECT
    if (log_file < 0 || posix_memalign((void **)&log_page, PAGE_BYTES, THREADS_MAX * PAGE_BYTES) != 0) fail("log");
    memset(log_page, 'x', THREADS_MAX * PAGE_BYTES);
}

static void write_log(size_t count) {
    size_t padded = (count + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    if (log_offset + (off_t)padded > LOG_BYTES) log_offset = 0;
    if (pwrite(log_file, log_page, padded, log_offset) != (ssize_t)padded) fail("pwrite");
    log_offset += (off_t)padded;
}

// Group commit: whoever finds nobody writing writes for all that wait by then.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t is_written = PTHREAD_COND_INITIALIZER;
static uint64_t asked, written;
static bool is_writing;

static void commit(void) {
    pthread_mutex_lock(&lock);
    uint64_t mine = ++asked;
    while (written < mine) {
        if (is_writing) {
            pthread_cond_wait(&is_written, &lock);
            continue;
        }
        is_writing = true;
        uint64_t end = asked, count = end - written;
        pthread_mutex_unlock(&lock);
        write_log(count * ENTRY_BYTES);
        pthread_mutex_lock(&lock);
        written = end;
        is_writing = false;
        pthread_cond_broadcast(&is_written);
    }
    pthread_mutex_unlock(&lock);
}

static void put(int number, long count, const char *object, char *attribute) {
    char name[64], path[64];
    int length = snprintf(name, sizeof name, "%d-%09ld", number, count);
    // No two tags are the same, and ext4 keeps attributes that are in one block for all their files.
    memcpy(attribute, name, (size_t)length);
    commit();
    int file = openat(folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0640);
    if (file < 0) fail("O_TMPFILE");
    if (pwrite(file, object, OBJECT_BYTES, 0) != OBJECT_BYTES) fail("pwrite");
    if (fsetxattr(file, "user.bailiwick", attribute, ATTRIBUTE_BYTES, XATTR_CREATE) != 0) fail("fsetxattr");
    if (fsync(file) != 0) fail("fsync");
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (linkat(AT_FDCWD, path, folder, name, AT_SYMLINK_FOLLOW) != 0) fail("linkat");
    if (fsync(folder) != 0) fail("fsync of the folder");
    close(file);
}

static void sample(double microseconds) {
    pthread_mutex_lock(&lock);
    if (sample_count < SAMPLES_MAX) samples[sample_count++] = microseconds;
    pthread_mutex_unlock(&lock);
}

static void *put_until(void *argument) {
    char object[OBJECT_BYTES], attribute[ATTRIBUTE_BYTES];
    unsigned seed = (unsigned)(uintptr_t)argument + 1;
    for (int i = 0; i < OBJECT_BYTES; i++) object[i] = (char)rand_r(&seed);
    memset(attribute, 'a', sizeof attribute);
    for (long count = 0;; count++) {
        double started = now_microseconds();
        if (started >= (double)until) return NULL;
        put((int)(uintptr_t)argument, count, object, attribute);
        sample(now_microseconds() - started);
    }
}

static void write_until(void) {
    for (;;) {
        double started = now_microseconds();
        if (started >= (double)until) return;
        write_log(PAGE_BYTES);
        sample(now_microseconds() - started);
    }
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

int main(int count, char **arguments) {
    bool is_put = count == 5 && strcmp(arguments[1], "put") == 0;
    if (!is_put && !(count == 4 && strcmp(arguments[1], "write") == 0)) return fputs("see durable.c\n", stderr), 64;
    int threads = is_put ? atoi(arguments[4]) : 0;
    if (threads < 0 || threads > THREADS_MAX) return fputs("durable: too many threads\n", stderr), 64;
    folder = open(arguments[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    samples = malloc(SAMPLES_MAX * sizeof *samples);
    if (folder < 0 || !samples) fail(arguments[2]);
    open_log();
    double started = now_microseconds();
    until = (uint64_t)(started + atof(arguments[3]) * 1e6);
    if (is_put) {
        pthread_t ids[THREADS_MAX];
        for (int i = 0; i < threads; i++)
            if (pthread_create(&ids[i], NULL, put_until, (void *)(uintptr_t)i) != 0) fail("pthread_create");
        for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
    } else
        write_until();
    double seconds = (now_microseconds() - started) / 1e6;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    if (sample_count == 0) return fputs("durable: nothing was written\n", stderr), 1;
    qsort(samples, sample_count, sizeof *samples, compare);
    printf("{\"requests\": %zu, \"per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"cpu_seconds\": %.3f}\n", sample_count,
        (double)sample_count / seconds, samples[sample_count / 2], samples[sample_count * 99 / 100],
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    return 0;
}
