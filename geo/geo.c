/* geo.c - places of addresses, read with libmaxminddb. */
#include "geo/geo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <maxminddb.h>

#include "base/ip.h"
#include "base/metrics.h"
#include "base/text.h"

#define LAST_EPOCH_S UINT64_C(253402300799) /* the end of 9999 */
#define REGION_CODE_BYTES 3                 /* ISO 3166-2 behind the hyphen */

struct geo_db {
    MMDB_s mmdb;
    bool is_open;
    bool has_names; /* regions and cities besides countries */
};

struct geo {
    _Atomic int references;
    struct lb_metric *errors;
    size_t count;
    struct geo_db dbs[GEO_FILES];
};

/* --- opening -------------------------------------------------------------- */

static enum lb_err explain(int status, const char *path, struct lb_error *err)
{
    enum lb_err rc = LB_EFORMAT;

    if (status == MMDB_OUT_OF_MEMORY_ERROR) {
        rc = LB_ENOMEM;
    } else if (status == MMDB_IO_ERROR || status == MMDB_FILE_OPEN_ERROR) {
        rc = LB_EIO;
    }
    return lb_err_set(err, rc, "%s: %s", path, MMDB_strerror(status));
}

static enum lb_err fail_errno(const char *path, struct lb_error *err)
{
    int code = errno;
    char text[80];

    return lb_err_set(err, code == ENOENT ? LB_ENOENT : LB_EIO, "%s: %s", path,
                      strerror_r(code, text, sizeof(text)));
}

/* Copies the file into memory of its own: whoever writes over a mapped file
 * would end this process with SIGBUS. */
static enum lb_err
copy(int from, int to, const char *path, struct lb_error *err)
{
    struct stat about;
    off_t at = 0;

    if (fstat(from, &about) != 0) {
        return fail_errno(path, err);
    }
    if (!S_ISREG(about.st_mode)) {
        return lb_err_set(err, LB_EFORMAT, "%s: is no regular file", path);
    }
    if (about.st_size > GEO_FILE_BYTES) {
        return lb_err_set(err, LB_ELIMIT, "%s: is larger than 2 GiB", path);
    }
    while (at < about.st_size) {
        ssize_t done = sendfile(to, from, &at, (size_t)(about.st_size - at));

        if (done < 0 && errno != EINTR) {
            return fail_errno(path, err);
        }
        if (done == 0) {
            return lb_err_set(err, LB_EIO, "%s: is being written", path);
        }
    }
    return LB_OK;
}

/* The library opens by name alone; it maps the copy and needs no descriptor
 * afterwards. */
static enum lb_err
open_copy(const char *path, struct geo_db *db, struct lb_error *err)
{
    int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int to = -1;
    char name[40];
    int status;
    enum lb_err rc;

    if (from < 0) {
        return fail_errno(path, err);
    }
    to = memfd_create("geo", MFD_CLOEXEC);
    rc = to < 0 ? fail_errno(path, err) : copy(from, to, path, err);
    if (rc == LB_OK) {
        (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", to);
        status = MMDB_open(name, MMDB_MODE_MMAP, &db->mmdb);
        db->is_open = status == MMDB_SUCCESS;
        rc = db->is_open ? LB_OK : explain(status, path, err);
    }
    (void)close(from);
    if (to >= 0) {
        (void)close(to);
    }
    return rc;
}

static bool has_word(const char *type, const char *word)
{
    return strcasestr(type, word) != NULL;
}

static enum lb_err open_one(const char *path,
                            enum geo_check check,
                            struct geo_db *db,
                            struct lb_error *err)
{
    enum lb_err rc = open_copy(path, db, err);
    const char *type;

    if (rc != LB_OK) {
        return rc;
    }
    type = db->mmdb.metadata.database_type;
    db->has_names = has_word(type, "city") || has_word(type, "enterprise") ||
                    has_word(type, "insight") || check == GEO_CHECK_NOTHING;
    if (check == GEO_CHECK_TYPE && !db->has_names &&
        !has_word(type, "country")) {
        return lb_err_set(err, LB_EFORMAT,
                          "%s: holds no countries (its type is \"%.40s\"); use "
                          "a country or city database",
                          path, type);
    }
    return LB_OK;
}

enum lb_err geo_open(const char *const *paths,
                     size_t count,
                     enum geo_check check,
                     struct geo **geo_out,
                     struct lb_error *err)
{
    struct geo *geo = NULL;
    enum lb_err rc = LB_OK;

    *geo_out = NULL;
    if (count == 0 || count > GEO_FILES) {
        return lb_err_set(err, LB_EINVAL, "a database has 1 to %d files",
                          GEO_FILES);
    }
    geo = calloc(1, sizeof(*geo));
    if (geo == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    atomic_init(&geo->references, 1);
    geo->errors = lb_metrics_get(
        LB_METRIC_COUNTER, "linkbell_geo_errors_total",
        "Country databases that did not open and entries with bad data.", "");
    geo->count = count;
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        rc = open_one(paths[i], check, &geo->dbs[i], err);
    }
    if (rc != LB_OK) {
        lb_metrics_add(geo->errors, 1);
        goto out;
    }
    *geo_out = geo;
    geo = NULL; /* handed over */
out:
    geo_close(geo);
    return rc;
}

/* The count is the one thing that changes in an open database. */
static struct geo *own(const struct geo *geo)
{
    union {
        const struct geo *shown;
        struct geo *held;
    } both = {geo};

    return both.held;
}

const struct geo *geo_ref(const struct geo *geo)
{
    if (geo != NULL) {
        atomic_fetch_add_explicit(&own(geo)->references, 1,
                                  memory_order_relaxed);
    }
    return geo;
}

void geo_close(const struct geo *geo)
{
    struct geo *mine = own(geo);

    if (geo == NULL || atomic_fetch_sub_explicit(&mine->references, 1,
                                                 memory_order_acq_rel) > 1) {
        return;
    }
    for (size_t i = 0; i < mine->count; i++) {
        if (mine->dbs[i].is_open) {
            MMDB_close(&mine->dbs[i].mmdb);
        }
    }
    free(mine);
}

size_t geo_file_count(const struct geo *geo)
{
    return geo == NULL ? 0 : geo->count;
}

struct geo_file geo_file_at(const struct geo *geo, size_t index)
{
    const MMDB_metadata_s *metadata = &geo->dbs[index].mmdb.metadata;
    uint64_t epoch_s = metadata->build_epoch > LAST_EPOCH_S
                           ? LAST_EPOCH_S
                           : metadata->build_epoch;
    struct geo_file file = {.built_at_ms = (int64_t)epoch_s * 1000,
                            .ip_version = metadata->ip_version,
                            .node_count = metadata->node_count};

    (void)snprintf(file.type, sizeof(file.type), "%s", metadata->database_type);
    file.type[lb_text_cut(file.type, strlen(file.type),
                          sizeof(file.type) - 1)] = '\0';
    return file;
}

/* --- looking up ----------------------------------------------------------- */

struct prefix {
    uint8_t bytes[16];
    unsigned bits;
};

/* Special-use addresses (IANA's registries, RFC 6890 and its kin): they belong
 * to no place, whatever a file made from the registries' allocations says. */
static const struct prefix special_v4[] = {
    {{0}, 8},
    {{10}, 8},
    {{100, 64}, 10},
    {{127}, 8},
    {{169, 254}, 16},
    {{172, 16}, 12},
    {{192, 0, 0}, 24},
    {{192, 0, 2}, 24},
    {{192, 168}, 16},
    {{198, 18}, 15},
    {{198, 51, 100}, 24},
    {{203, 0, 113}, 24},
    {{224}, 3},
};
static const struct prefix special_v6[] = {
    {{0}, 127},
    {{0xfc}, 7},
    {{0xfe, 0x80}, 10},
    {{0xff}, 8},
    {{0x20, 0x01, 0x0d, 0xb8}, 32},
    {{0x01, 0x00}, 64},
};

static bool
begins_with(const uint8_t *bytes, const uint8_t *prefix, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;

    return memcmp(bytes, prefix, whole) == 0 &&
           (rest == 0 || (bytes[whole] ^ prefix[whole]) >> (8 - rest) == 0);
}

static bool is_special(const struct lb_ip *ip)
{
    const struct prefix *special = ip->len == 4 ? special_v4 : special_v6;
    size_t count = ip->len == 4 ? sizeof(special_v4) / sizeof(special_v4[0])
                                : sizeof(special_v6) / sizeof(special_v6[0]);

    for (size_t i = 0; i < count; i++) {
        if (begins_with(ip->bytes, special[i].bytes, special[i].bits)) {
            return true;
        }
    }
    return false;
}

/* 6to4 (RFC 3056, 2): the client's IPv4 address stands behind 2002::/16. */
static void unwrap_6to4(struct lb_ip *ip)
{
    if (ip->len == 16 && ip->bytes[0] == 0x20 && ip->bytes[1] == 0x02) {
        struct lb_ip v4 = {.len = 4};

        memcpy(v4.bytes, ip->bytes + 2, 4);
        *ip = v4;
    }
}

/* One record being read. */
struct reading {
    MMDB_entry_s entry;
    bool has_bad_data;
};

static bool get(struct reading *reading,
                const char *const *path,
                MMDB_entry_data_s *data_out)
{
    int status = MMDB_aget_value(&reading->entry, data_out, path);

    if (status != MMDB_SUCCESS &&
        status != MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR &&
        status != MMDB_INVALID_LOOKUP_PATH_ERROR) {
        reading->has_bad_data = true;
    }
    return status == MMDB_SUCCESS && data_out->has_data;
}

/* The text at path, of max_bytes at most, or "". */
static bool get_text(struct reading *reading,
                     const char *const *path,
                     size_t max_bytes,
                     char *out)
{
    MMDB_entry_data_s data;

    out[0] = '\0';
    if (!get(reading, path, &data) || data.type != MMDB_DATA_TYPE_UTF8_STRING ||
        data.data_size == 0 || data.data_size > max_bytes ||
        memchr(data.utf8_string, '\0', data.data_size) != NULL ||
        !lb_text_is_utf8(data.utf8_string, data.data_size)) {
        return false;
    }
    memcpy(out, data.utf8_string, data.data_size);
    out[data.data_size] = '\0';
    return true;
}

static void read_country(struct reading *reading, char country[3])
{
    static const char *const nested[] = {"country", "iso_code", NULL};
    static const char *const flat[] = {"country_code", NULL};

    if (!get_text(reading, nested, 2, country)) {
        (void)get_text(reading, flat, 2, country);
    }
    if (strlen(country) != 2 || !lb_text_is_made_of(country, "A-Z", 2)) {
        country[0] = '\0';
    }
}

static void read_region(struct reading *reading, struct geo_place *place)
{
    static const char *const code[] = {"subdivisions", "0", "iso_code", NULL};
    static const char *const name[] = {"subdivisions", "0", "names", "en",
                                       NULL};
    static const char *const flat[] = {"state1", NULL};
    char text[REGION_CODE_BYTES + 1];

    if (place->country[0] != '\0' &&
        get_text(reading, code, REGION_CODE_BYTES, text) &&
        lb_text_is_made_of(text, "A-Z0-9", REGION_CODE_BYTES)) {
        (void)snprintf(place->region, sizeof(place->region), "%s-%s",
                       place->country, text);
    } else if (!get_text(reading, name, GEO_NAME_BYTES, place->region)) {
        (void)get_text(reading, flat, GEO_NAME_BYTES, place->region);
    }
}

static void read_city(struct reading *reading, struct geo_place *place)
{
    static const char *const nested[] = {"city", "names", "en", NULL};
    static const char *const flat[] = {"city", NULL};

    if (!get_text(reading, nested, GEO_NAME_BYTES, place->city)) {
        (void)get_text(reading, flat, GEO_NAME_BYTES, place->city);
    }
}

/* Whether this file knows the address. */
static bool find_in(const struct geo_db *db,
                    const struct sockaddr *addr,
                    struct geo_place *place,
                    bool *has_bad_data)
{
    static const char *const whole[] = {NULL};
    int status = MMDB_SUCCESS;
    MMDB_lookup_result_s found;
    MMDB_entry_data_s data;
    struct reading reading;

    if (addr->sa_family == AF_INET6 && db->mmdb.metadata.ip_version == 4) {
        return false;
    }
    found = MMDB_lookup_sockaddr(&db->mmdb, addr, &status);
    if (status != MMDB_SUCCESS) {
        *has_bad_data = true;
        return false;
    }
    if (!found.found_entry) {
        return false;
    }
    reading = (struct reading){found.entry, false};
    if (get(&reading, whole, &data) && data.type == MMDB_DATA_TYPE_MAP) {
        read_country(&reading, place->country);
        if (db->has_names) {
            read_region(&reading, place);
            read_city(&reading, place);
        }
    }
    *has_bad_data = *has_bad_data || reading.has_bad_data;
    return place->country[0] != '\0' || place->region[0] != '\0' ||
           place->city[0] != '\0';
}

enum lb_err geo_find(const struct geo *geo,
                     const struct sockaddr *addr,
                     struct geo_place *place_out)
{
    struct sockaddr_storage address;
    bool has_bad_data = false;
    bool is_found = false;
    struct lb_ip ip;

    place_out->country[0] = '\0';
    place_out->region[0] = '\0';
    place_out->city[0] = '\0';
    if (!lb_ip_from(addr, &ip)) {
        return LB_EINVAL;
    }
    unwrap_6to4(&ip);
    if (is_special(&ip)) {
        return LB_ENOTFOUND;
    }
    lb_ip_to(&ip, &address);
    for (size_t i = 0; i < geo->count && !is_found; i++) {
        is_found = find_in(&geo->dbs[i], (const struct sockaddr *)&address,
                           place_out, &has_bad_data);
    }
    if (has_bad_data) {
        lb_metrics_add(geo->errors, 1);
        return LB_EFORMAT;
    }
    return is_found ? LB_OK : LB_ENOTFOUND;
}

const char *geo_version(void)
{
    return MMDB_lib_version();
}
