#pragma once
// System calls that the Glibc module of Swift does not show: those without a wrapper in glibc 2.36 (openat2), those that are
// variadic in C, and those that glibc declares only under _GNU_SOURCE. Each returns what the call returns, or -errno.
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

static inline long clinux_result(long value) { return value < 0 ? -errno : value; }

// openat2(2) below `directory`: no symbolic link, no magic link, no mount point, nothing above it. `cachedOnly` fails with
// EAGAIN rather than wait for the disk.
static inline long clinux_open_beneath(int directory, const char *path, int flags, int mode, int cachedOnly) {
    struct open_how how = {
        .flags = (uint64_t)flags | O_CLOEXEC,
        .mode = (uint64_t)mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV |
                   (cachedOnly ? RESOLVE_CACHED : 0),
    };
    return clinux_result(syscall(SYS_openat2, directory, path, &how, sizeof how));
}

static inline long clinux_rename(int from, const char *name, int to, const char *newName, unsigned flags) {
    return clinux_result(syscall(SYS_renameat2, from, name, to, newName, flags));
}

// preadv2(2) of one buffer; `cachedOnly` fails with EAGAIN rather than wait for the disk.
static inline long clinux_read(int file, void *buffer, size_t count, int64_t offset, int cachedOnly) {
    // The kernel takes the offset as two halves; on 64-bit machines the upper one is ignored.
    struct iovec part = {.iov_base = buffer, .iov_len = count};
    const int readWithoutWaiting = 0x8; // RWF_NOWAIT, <linux/fs.h>
    return clinux_result(syscall(SYS_preadv2, file, &part, 1, (long)offset, 0L, cachedOnly ? readWithoutWaiting : 0));
}

static inline long clinux_write(int file, const void *buffer, size_t count, int64_t offset) {
    return clinux_result(pwrite(file, buffer, count, offset));
}

static inline long clinux_directory_entries(int directory, void *buffer, size_t count) {
    return clinux_result(syscall(SYS_getdents64, directory, buffer, count));
}

static inline long clinux_attribute(int file, const char *name, void *value, size_t count) {
    return clinux_result(fgetxattr(file, name, value, count));
}

static inline long clinux_set_attribute(int file, const char *name, const void *value, size_t count, int flags) {
    return clinux_result(fsetxattr(file, name, value, count, flags));
}

struct clinux_file_status {
    uint64_t device, inode, size;
};

// Which file it is, and its size (statx(2)); 0 or -errno. `path` is relative to `directory`, or empty for that file itself. The times are not
// asked for: once they were, Linux 6.13 and later give the next write a time of its own, and some file systems write the inode for it.
static inline long clinux_file_status(int directory, const char *path, struct clinux_file_status *status) {
    const int emptyPath = 0x1000;  // AT_EMPTY_PATH, which the C library hides.
    struct statx found;
    long result = clinux_result(syscall(SYS_statx, directory, path, emptyPath, STATX_INO | STATX_SIZE, &found));
    if (result < 0) return result;
    status->device = (uint64_t)found.stx_dev_major << 32 | found.stx_dev_minor;
    status->inode = found.stx_ino;
    status->size = found.stx_size;
    return 0;
}

// sync_file_range(2) with SYNC_FILE_RANGE_WRITE: starts writing and does not wait for it.
static inline long clinux_start_writing(int file, int64_t offset, int64_t count) {
    return clinux_result(syscall(SYS_sync_file_range, file, offset, count, 2u));
}

static inline int clinux_flag_temporary_file(void) { return 020000000 | O_DIRECTORY; } // O_TMPFILE
static inline int clinux_flag_empty_path(void) { return 0x1000; }                      // AT_EMPTY_PATH
static inline int clinux_flag_path(void) { return 010000000; }                         // O_PATH
static inline unsigned clinux_rename_exchange(void) { return 2; }                      // RENAME_EXCHANGE
static inline unsigned clinux_rename_no_replace(void) { return 1; }                    // RENAME_NOREPLACE

// The calling thread's name, at most 15 bytes, as /proc/PID/task/TID/comm shows it.
static inline void clinux_set_thread_name(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

// `name` has room for 16 bytes.
static inline void clinux_thread_name(char *name) { prctl(PR_GET_NAME, name, 0, 0, 0); }

// Is the clock kept by somebody (adjtimex(2))? 1 or 0, or -errno; `errorMicroseconds` is the greatest error that the kernel assumes.
static inline int clinux_clock_is_synchronized(long *errorMicroseconds) {
    struct timex state = {.modes = 0};
    int result = adjtimex(&state);
    if (result < 0) return -errno;
    *errorMicroseconds = state.maxerror;
    return result != TIME_ERROR && !(state.status & STA_UNSYNC);
}

// Does syncfs(2) by an open file or folder make everything durable that fsync(2) of each file and folder would? Known of ext4, XFS and
// btrfs (statfs(2)); of FUSE it is known that it does not.
static inline bool clinux_syncs_with_file_system(int descriptor) {
    struct statfs facts;
    if (fstatfs(descriptor, &facts) < 0) return false;
    return facts.f_type == 0xEF53 || facts.f_type == 0x58465342 || facts.f_type == 0x9123683E;
}

// syncfs(2).
static inline long clinux_sync_file_system(int descriptor) { return clinux_result(syscall(SYS_syncfs, descriptor)); }

// Lets go of the pages of this program's own code that are mapped now (madvise(2)): what is used again comes back from the page cache.
extern const char __executable_start, etext;
static inline void clinux_forget_code(void) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
    uintptr_t start = ((uintptr_t)&__executable_start + page) & ~page, end = (uintptr_t)&etext & ~page;
    if (end > start) (void)madvise((void *)start, end - start, MADV_DONTNEED);
}

// accept4(2): the connection, nonblocking, closed on exec and without Nagle's delay, and the address of its other end; or -errno.
static inline long clinux_accept(int listener, struct sockaddr_storage *other) {
    socklen_t count = sizeof *other;
    // SOCK_NONBLOCK | SOCK_CLOEXEC, and accept4 itself, are hidden.
    long connection = clinux_result(syscall(SYS_accept4, listener, other, &count, 04000 | 02000000));
    if (connection < 0) return connection;
    const int on = 1;
    (void)setsockopt((int)connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return connection;
}

// socket(2) for a listener of TCP; nonblocking, closed on exec.
static inline long clinux_stream_socket(int family) { return clinux_result(socket(family, SOCK_STREAM | 04000 | 02000000, 0)); }

static inline void clinux_set_nonblocking(int descriptor) { (void)fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK); }

// Sends and raises no SIGPIPE.
static inline long clinux_send(int connection, const void *bytes, size_t count) {
    return clinux_result(send(connection, bytes, count, MSG_NOSIGNAL));
}

static inline long clinux_receive(int connection, void *bytes, size_t count) { return clinux_result(recv(connection, bytes, count, 0)); }

static inline int clinux_epoll_make(void) { return (int)clinux_result(epoll_create1(EPOLL_CLOEXEC)); }

static inline int clinux_epoll_control(int poller, int call, int descriptor, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return (int)clinux_result(epoll_ctl(poller, call, descriptor, &event));
}

// A nonblocking eventfd(2).
static inline int clinux_bell_make(void) { return (int)clinux_result(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }

static inline void clinux_bell_ring(int bell) { (void)eventfd_write(bell, 1); }
