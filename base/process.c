/* process.c - what the process asks of the system at its start. */
#include "base/process.h"

#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"

#define SPARE_FILES 32
#define LEAST_CONNECTIONS 8
#define MAPPED_BYTES (128 * 1024) /* blocks from here on are mapped alone */
#define TRIMMED_BYTES ((size_t)256 * 1024)

void lb_process_prepare(void)
{
    struct rlimit none = {0, 0};

    /* Left alone, the C library raises this with each large block that is
     * freed, and keeps such blocks: some 6 MB more were resident. */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread so far */
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
    /* What is free at the end of a thread's memory stays for its next group. */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread so far */
    (void)mallopt(M_TRIM_THRESHOLD, TRIMMED_BYTES);
    (void)umask(S_IRWXG | S_IRWXO);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(
        SIGXFSZ,
        SIG_IGN); /* a full quota is an error of write(), not the end */
}

int64_t lb_process_raise_files(int64_t wanted)
{
    struct rlimit limit;
    int64_t most;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return wanted;
    }
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    most = limit.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)limit.rlim_cur;
    most = most - SPARE_FILES < LEAST_CONNECTIONS ? LEAST_CONNECTIONS
                                                  : most - SPARE_FILES;
    if (wanted <= most) {
        return wanted;
    }
    lb_log(LB_LOG_WARN, "connections_lowered",
           "connections=%lld hint=\"the system allows this process no more "
           "open files\"",
           (long long)most);
    return most;
}

void lb_process_tell_address(const char *host, int port)
{
    bool is_v6 = strchr(host, ':') != NULL;

    if (strncmp(host, "127.", 4) != 0 && strcmp(host, "::1") != 0) {
        lb_log(LB_LOG_WARN, "open_address",
               "listen=%s hint=\"anybody who reaches this address can talk to "
               "linkbell without TLS; put a proxy in front\"",
               host);
    }
    lb_log(LB_LOG_INFO, "listening", "host=%s port=%d version=%s", host, port,
           LINKBELL_VERSION);
    (void)printf("listening on http://%s%s%s:%d\n", is_v6 ? "[" : "", host,
                 is_v6 ? "]" : "", port);
    (void)fflush(stdout);
}
