// stop-thread TID: stops one thread of a process, and no other, until standard input ends. Prints a line once it stands.
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count != 2) return 64;
    pid_t thread = (pid_t)atol(arguments[1]);
    int status;
    // A seized thread that is interrupted stands in a ptrace stop; the others of its process run on.
    if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) || ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) ||
        waitpid(thread, &status, __WALL) != thread || !WIFSTOPPED(status)) {
        perror("ptrace");
        return 1;
    }
    puts("stopped");
    fflush(stdout);
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    // A thread that is killed meanwhile is reaped by its tracer: until then its process is not at its end either.
    while (poll(&input, 1, 20) == 0) {
        if (waitpid(thread, &status, __WALL | WNOHANG) == thread && (WIFEXITED(status) || WIFSIGNALED(status))) return 0;
    }
    // The tracer's end detaches, and lets the thread run.
    return 0;
}
