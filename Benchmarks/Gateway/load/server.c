// server.c: what the servers' processes used, and what the machine did besides.
#include "load.h"
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

// User and system time of all threads, by the process's clock: the sum that /proc/PID/stat shows as utime and stime, in nanoseconds
// rather than ticks of 10 ms.
double server_cpu_seconds(void) {
    double sum = 0;
    for (int i = 0; i < options.server_count; i++) {
        clockid_t clock;
        struct timespec time;
        if (clock_getcpuclockid(options.servers[i], &clock) != 0 || clock_gettime(clock, &time) != 0)
            die("process %d is gone", options.servers[i]);
        sum += (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
    }
    return sum;
}

double server_resident_bytes(void) {
    double sum = 0;
    for (int i = 0; i < options.server_count; i++) {
        char path[64], line[256];
        snprintf(path, sizeof path, "/proc/%d/status", options.servers[i]);
        FILE *file = fopen(path, "r");
        if (!file) die("process %d is gone", options.servers[i]);
        long kibibytes = 0;
        while (fgets(line, sizeof line, file))
            if (sscanf(line, "VmRSS: %ld kB", &kibibytes) == 1) break;
        fclose(file);
        sum += (double)kibibytes * 1024;
    }
    return sum;
}

// Time that any processor did not idle: less what servers and load used it is what disturbed the run.
double machine_busy_seconds(void) {
    double user, nice, system, idle, wait, irq, softirq, steal;
    FILE *file = fopen("/proc/stat", "r");
    if (!file || fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &user, &nice, &system, &idle, &wait, &irq, &softirq, &steal) != 8)
        die("/proc/stat cannot be read");
    fclose(file);
    return (user + nice + system + irq + softirq + steal) / (double)sysconf(_SC_CLK_TCK);
}

double own_cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}
