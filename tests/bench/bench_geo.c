/* bench_geo.c - time of a look-up: bench_geo FILE.mmdb.  Prints nanoseconds for
 * random IPv4 and IPv6 addresses, the best of five rounds. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/ip.h"
#include "geo/geo.h"

#define ROUNDS 5
#define ADDRESSES 200000

static struct sockaddr_storage addresses[ADDRESSES];

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void fill(uint8_t len)
{
    uint64_t seed = 88172645463325252u;

    for (size_t i = 0; i < ADDRESSES; i++) {
        struct lb_ip ip = {.len = len};
        uint64_t value = next_random(&seed);

        memcpy(ip.bytes, &value, len == 4 ? 4 : 8);
        if (len == 16) { /* where addresses are given out: 2000::/4 */
            ip.bytes[0] = (uint8_t)(0x20 | (ip.bytes[0] & 0x0f));
        }
        lb_ip_to(&ip, &addresses[i]);
    }
}

static void measure(const struct geo *geo, const char *name)
{
    int64_t best_ns = INT64_MAX;
    size_t found = 0;

    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin_ns = lb_clock_mono_ns();

        found = 0;
        for (size_t i = 0; i < ADDRESSES; i++) {
            struct geo_place place;

            found += geo_find(geo, (const struct sockaddr *)&addresses[i],
                              &place) == LB_OK
                         ? 1
                         : 0;
        }
        begin_ns = lb_clock_mono_ns() - begin_ns;
        best_ns = begin_ns < best_ns ? begin_ns : best_ns;
    }
    (void)printf("%s %" PRId64 " ns a look-up, %zu of %d found\n", name,
                 best_ns / ADDRESSES, found, ADDRESSES);
}

int main(int argc, char **argv)
{
    const char *const paths[] = {argc == 2 ? argv[1] : "data/geo.mmdb"};
    struct geo *geo = NULL;
    struct lb_error err;

    if (geo_open(paths, 1, GEO_CHECK_TYPE, &geo, &err) != LB_OK) {
        (void)fprintf(stderr, "bench_geo: %s\n", err.text);
        return 1;
    }
    fill(4);
    measure(geo, "ipv4");
    fill(16);
    measure(geo, "ipv6");
    geo_close(geo);
    return 0;
}
