/* bench_detect.c - what the detector costs a row, in processor time, and a
 * series, in bytes:
 *     build/release/tests/bench_detect
 */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "alerts/detect.h"
#include "base/clock.h"

#define ROWS 1000000
#define MONDAY_MS INT64_C(1740960000000)

static double cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void run(const char *name, int64_t interval_ms, double level)
{
    struct detect detect;
    struct detect_verdict verdict;
    uint64_t random = 88172645463325252;
    double sum = 0;
    double began_ns;

    detect_init(&detect, interval_ms);
    began_ns = cpu_ns();
    for (int i = 0; i < ROWS; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        detect_step(&detect, MONDAY_MS + i * interval_ms,
                    floor((double)(random >> 40) / (1 << 24) * 2 * level),
                    &verdict);
        sum += verdict.score;
    }
    (void)printf("%-28s %6.0f ns a row (mean score %.3f)\n", name,
                 (cpu_ns() - began_ns) / ROWS, sum / ROWS);
}

int main(void)
{
    (void)printf("%zu bytes a series\n", sizeof(struct detect));
    run("any numbers, every 5 min", 5 * LB_MS_PER_MIN, 1000);
    run("small counts, every hour", LB_MS_PER_HOUR, 3);
    run("small counts, every 15 min", 15 * LB_MS_PER_MIN, 1);
    run("small counts, every 5 min", 5 * LB_MS_PER_MIN, 0.6);
    return 0;
}
