// steps BLOCKS: how many instructions this processor takes for one call of SHA-256 over BLOCKS blocks of 64 bytes, start and end of the
// process included, counted one by one with ptrace. `steps -n BLOCKS` makes the call uncounted, for valgrind to count.
// The difference of two counts is what the blocks cost.
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void hash(size_t blocks) {
    unsigned char digest[SHA256_DIGEST_LENGTH], *bytes = calloc(blocks, 64);
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, bytes, blocks * 64);
    SHA256_Final(digest, &context);
    free(bytes);
}

int main(int count, char **arguments) {
    if (count == 3 && strcmp(arguments[1], "-n") == 0) return hash((size_t)atol(arguments[2])), 0;
    if (count != 2) return fputs("steps [-n] BLOCKS\n", stderr), 64;
    hash(1); // what is looked up at the first call is looked up
    pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) _exit(2);
        raise(SIGSTOP);
        hash((size_t)atol(arguments[1]));
        _exit(0);
    }
    long steps = 0;
    int status = 0;
    while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
        steps++;
        if (ptrace(PTRACE_SINGLESTEP, child, 0, 0) != 0) break;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return fputs("steps: this process may not trace\n", stderr), 1;
    printf("%ld\n", steps);
    return 0;
}
