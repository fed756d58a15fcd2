/* geo_build.c - from lines of ranges to a file. */
#include "geo/geo_build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "geo/mmdb_writer.h"

#define LINE_BYTES 256
#define PATH_BYTES 4200
#define OUT_BYTES ((size_t)512 * 1024 * 1024)
#define GENERATED "# Generated: "

/* Countries of ISO 3166-1, as tzdata's iso3166.tab lists them. */
static const char countries[] =
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE "
    "BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD "
    "CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM "
    "DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF "
    "GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU "
    "ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN "
    "KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME "
    "MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA "
    "NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM "
    "PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI "
    "SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK "
    "TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI "
    "VN VU WF WS YE YT ZA ZM ZW";

struct build {
    struct mmdb_writer *writer; /* owned */
    struct geo_build_result *result;
    const char *path; /* of the file being read */
    size_t line;
    struct lb_error *err;
};

static bool is_country(const char *code)
{
    const char *at = strstr(countries, code);

    return strlen(code) == 2 && at != NULL && (at - countries) % 3 == 0;
}

/* "Thu, 25 Jun 2026 04:33:59 GMT": the newer of the files counts. */
static void note_date(struct build *build, const char *text)
{
    struct tm parts;

    memset(&parts, 0, sizeof(parts));
    if (strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &parts) != NULL) {
        int64_t at_ms = (int64_t)timegm(&parts) * 1000;

        build->result->made_at_ms = at_ms > build->result->made_at_ms
                                        ? at_ms
                                        : build->result->made_at_ms;
    }
}

/* An IPv4 address as a number, or any address as text. */
static bool read_address(const char *text, struct lb_ip *ip_out)
{
    long long number = 0;

    if (!lb_text_to_int(text, &number)) {
        return lb_ip_parse(text, ip_out);
    }
    memset(ip_out, 0, sizeof(*ip_out));
    ip_out->len = 4;
    for (int i = 0; i < 4; i++) {
        ip_out->bytes[i] = (uint8_t)(number >> (24 - 8 * i) & 0xff);
    }
    return number >= 0 && number <= UINT32_MAX;
}

static enum lb_err fail_line(struct build *build)
{
    return lb_err_set(build->err, LB_EFORMAT,
                      "%s:%zu: is not \"first,last,country\"; is it a file of "
                      "tor-geoipdb?",
                      build->path, build->line);
}

static enum lb_err add_line(struct build *build, char *line)
{
    char *second = strchr(line, ',');
    char *third = second == NULL ? NULL : strchr(second + 1, ',');
    struct lb_ip_range range;
    enum lb_err rc;

    if (third == NULL) {
        return fail_line(build);
    }
    *second++ = '\0';
    *third++ = '\0';
    if (!read_address(line, &range.first) ||
        !read_address(second, &range.last) || strlen(third) != 2) {
        return fail_line(build);
    }
    if (!is_country(third)) {
        build->result->left_out_count++;
        return LB_OK;
    }
    build->result->range_count++;
    rc = mmdb_writer_add(build->writer, &range, third);
    if (rc == LB_EINVAL) {
        return fail_line(build);
    }
    return rc == LB_OK ? LB_OK : lb_err_set(build->err, rc, "out of memory");
}

static enum lb_err read_file(struct build *build, const char *path)
{
    FILE *file = fopen(path, "re");
    char line[LINE_BYTES];
    enum lb_err rc = LB_OK;
    char text[80];

    if (file == NULL) {
        int code = errno;

        return lb_err_set(build->err, code == ENOENT ? LB_ENOENT : LB_EIO,
                          "%s: %s; install tor-geoipdb or name the files with "
                          "--ipv4 and --ipv6",
                          path, strerror_r(code, text, sizeof(text)));
    }
    build->path = path;
    build->line = 0;
    while (rc == LB_OK && fgets(line, sizeof(line), file) != NULL) {
        size_t len = strcspn(line, "\r\n");

        build->line++;
        if (line[len] == '\0' && len + 1 == sizeof(line)) {
            rc = fail_line(build);
        }
        line[len] = '\0';
        if (strncmp(line, GENERATED, sizeof(GENERATED) - 1) == 0) {
            note_date(build, line + sizeof(GENERATED) - 1);
        } else if (rc == LB_OK && line[0] != '#' && line[0] != '\0') {
            rc = add_line(build, line);
        }
    }
    if (rc == LB_OK && ferror(file) != 0) {
        rc = lb_err_set(build->err, LB_EIO, "%s: can't be read", path);
    }
    (void)fclose(file);
    return rc;
}

/* --- writing -------------------------------------------------------------- */

static enum lb_err fail_write(const char *path, int code, struct lb_error *err)
{
    enum lb_err rc = code == ENOSPC || code == EDQUOT ? LB_EFULL
                     : code == EROFS || code == EACCES || code == EPERM
                         ? LB_EREADONLY
                     : code == ENOENT ? LB_ENOENT
                                      : LB_EIO;
    char text[80];

    return lb_err_set(err, rc, "%s: %s", path,
                      strerror_r(code, text, sizeof(text)));
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, bytes, len);

        if (done < 0 && errno != EINTR) {
            return false;
        }
        bytes += done < 0 ? 0 : done;
        len -= done < 0 ? 0 : (size_t)done;
    }
    return fsync(fd) == 0;
}

static void sync_dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_BYTES];
    int fd;

    (void)snprintf(dir, sizeof(dir), "%.*s",
                   slash == NULL ? 1 : (int)(slash - path) + 1,
                   slash == NULL ? "." : path);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

static enum lb_err
write_file(const char *path, const struct lb_buf *bytes, struct lb_error *err)
{
    char aside[PATH_BYTES];
    bool is_written;
    int code;
    int fd;

    if (strlen(path) + 8 > sizeof(aside)) {
        return lb_err_set(err, LB_EINVAL, "the name of the file is too long");
    }
    (void)snprintf(aside, sizeof(aside), "%s.XXXXXX", path);
    fd = mkostemp(aside, O_CLOEXEC);
    if (fd < 0) {
        return fail_write(path, errno, err);
    }
    is_written = write_all(fd, lb_buf_text(bytes), bytes->len) &&
                 rename(aside, path) == 0;
    code = errno;
    (void)close(fd);
    if (!is_written) {
        (void)unlink(aside);
        return fail_write(path, code, err);
    }
    sync_dir_of(path);
    return LB_OK;
}

static enum lb_err finish(struct build *build, struct lb_buf *out)
{
    char made[LB_CLOCK_TEXT_BYTES];
    char text[280];
    struct mmdb_writer_about about = {
        .type = "linkbell-Country",
        .description = text,
        .source = "https://location.ipfire.org/",
        .licence = "CC BY-SA 4.0, IPFire Project",
        .built_at_ms = build->result->made_at_ms,
    };
    enum lb_err rc;

    lb_clock_format(build->result->made_at_ms, made);
    (void)snprintf(text, sizeof(text),
                   "Countries from the location data of the IPFire Project "
                   "(https://location.ipfire.org/), CC BY-SA 4.0, generated "
                   "%.10s, converted by linkbell from Debian's tor-geoipdb",
                   made);
    rc = mmdb_writer_finish(build->writer, &about, out);
    return rc == LB_OK
               ? LB_OK
               : lb_err_set(build->err, rc, "no memory for the database");
}

enum lb_err geo_build(const char *ipv4_path,
                      const char *ipv6_path,
                      const char *out_path,
                      struct geo_build_result *result_out,
                      struct lb_error *err)
{
    struct build build = {mmdb_writer_new(), result_out, NULL, 0, err};
    struct lb_buf out;
    enum lb_err rc;

    memset(result_out, 0, sizeof(*result_out));
    lb_buf_init(&out, OUT_BYTES);
    if (build.writer == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    /* IPv4 last: it lies inside ::/96 and wins there. */
    rc = read_file(&build, ipv6_path);
    rc = rc == LB_OK ? read_file(&build, ipv4_path) : rc;
    if (rc == LB_OK && result_out->range_count == 0) {
        rc = lb_err_set(err, LB_EFORMAT, "%s: holds no range of a country",
                        ipv4_path);
    }
    if (result_out->made_at_ms == 0) {
        result_out->made_at_ms = lb_clock_wall_ms();
    }
    rc = rc == LB_OK ? finish(&build, &out) : rc;
    rc = rc == LB_OK ? write_file(out_path, &out, err) : rc;
    result_out->bytes = out.len;
    mmdb_writer_free(build.writer);
    lb_buf_deinit(&out);
    return rc;
}
