/* fuzz_geo.c - places from any bytes taken for a database. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/ip.h"
#include "base/text.h"
#include "geo/geo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libmaxminddb 1.7.1 forgets the list of its metadata's descriptions when it
 * refuses a file for them: some 5 kB once a refused file.  Whether geo_close()
 * gives everything back is what the unit tests look at. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libmaxminddb.so";
}

static void check_name(const char *name)
{
    size_t len = strlen(name);

    if (len > GEO_NAME_BYTES || !lb_text_is_utf8(name, len)) {
        abort();
    }
}

static void look_up(const struct geo *geo)
{
    static const char *const addresses[] = {
        "1.1.1.1",      "81.2.69.160", "223.255.255.255", "2001:218::1",
        "2a02:d500::1", "fd00::1",     "4000::"};

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct sockaddr_storage address;
        struct geo_place place;
        struct lb_ip ip;

        if (!lb_ip_parse(addresses[i], &ip)) {
            abort();
        }
        lb_ip_to(&ip, &address);
        if (geo_find(geo, (const struct sockaddr *)&address, &place) ==
            LB_EINVAL) {
            abort();
        }
        if (place.country[0] != '\0' && strlen(place.country) != 2) {
            abort();
        }
        check_name(place.region);
        check_name(place.city);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct geo *geo = NULL;
    struct lb_error err;
    char path[40];
    const char *const paths[] = {path};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (fd >= 0 && write(fd, data, size) == (ssize_t)size &&
        geo_open(paths, 1, GEO_CHECK_NOTHING, &geo, &err) == LB_OK) {
        if (geo_file_at(geo, 0).built_at_ms > INT64_C(253402300799000)) {
            abort();
        }
        look_up(geo);
        geo_close(geo);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return 0;
}
