/* config_parse.c - durations, sizes and rates; the list of faults; reading a
 * file. */
#include "base/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define FAULT_BYTES ((size_t)256 * 1024)
#define FAULT_TEXT_BYTES 300

struct unit {
    const char *name;
    int64_t factor;
};

static const char *read_whole(const char *text, int64_t *value_out)
{
    int64_t value = 0;

    if (*text < '0' || *text > '9') {
        return NULL;
    }
    while (*text >= '0' && *text <= '9') {
        if (value > INT64_MAX / 100) {
            return NULL;
        }
        value = value * 10 + (*text++ - '0');
    }
    *value_out = value;
    return text;
}

static bool parse_unit(const char *text,
                       const struct unit *units,
                       size_t count,
                       int64_t *out)
{
    int64_t value;
    const char *rest = read_whole(text, &value);

    for (size_t i = 0; rest != NULL && i < count; i++) {
        if (strcmp(rest, units[i].name) == 0 &&
            value <= INT64_MAX / units[i].factor) {
            *out = value * units[i].factor;
            return true;
        }
    }
    return false;
}

bool lb_config_parse_duration(const char *text, int64_t *ms_out)
{
    static const struct unit units[] = {{"ms", 1},
                                        {"s", LB_MS_PER_S},
                                        {"m", LB_MS_PER_MIN},
                                        {"h", LB_MS_PER_HOUR},
                                        {"d", LB_MS_PER_DAY},
                                        {"w", 7 * LB_MS_PER_DAY},
                                        {"y", 365 * LB_MS_PER_DAY}};

    if (strcmp(text, "0") == 0) {
        *ms_out = 0;
        return true;
    }
    return parse_unit(text, units, sizeof(units) / sizeof(units[0]), ms_out);
}

bool lb_config_parse_size(const char *text, int64_t *bytes_out)
{
    static const struct unit units[] = {{"", 1},
                                        {"KiB", INT64_C(1) << 10},
                                        {"MiB", INT64_C(1) << 20},
                                        {"GiB", INT64_C(1) << 30}};

    return parse_unit(text, units, sizeof(units) / sizeof(units[0]), bytes_out);
}

bool lb_config_parse_rate(const char *text, int64_t *milli_per_s_out)
{
    static const struct unit units[] = {
        {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    int64_t value;
    const char *rest = read_whole(text, &value);
    int64_t periods = 1;

    if (rest == NULL || value > INT64_MAX / 1000 || *rest++ != '/') {
        return false;
    }
    if (*rest >= '0' && *rest <= '9') {
        rest = read_whole(rest, &periods);
    }
    for (size_t i = 0; rest != NULL && i < sizeof(units) / sizeof(units[0]);
         i++) {
        if (strcmp(rest, units[i].name) == 0 && periods > 0 &&
            periods < 1000000) {
            *milli_per_s_out = value * 1000 / (units[i].factor * periods);
            return true;
        }
    }
    return false;
}

void lb_config_faults_init(struct lb_config_faults *faults)
{
    lb_buf_init(&faults->lines, FAULT_BYTES);
    faults->count = 0;
}

void lb_config_faults_deinit(struct lb_config_faults *faults)
{
    lb_buf_deinit(&faults->lines);
}

void lb_config_fault(struct lb_config_faults *faults,
                     unsigned line,
                     unsigned column,
                     const char *key,
                     const char *fmt,
                     ...)
{
    char text[FAULT_TEXT_BYTES];
    va_list args;

    va_start(args, fmt);
    if (vsnprintf(text, sizeof(text), fmt, args) < 0) {
        text[0] = '\0';
    }
    va_end(args);
    lb_buf_printf(&faults->lines, "%u:%u: %s: %s\n", line, column, key, text);
    faults->count++;
}

enum lb_err lb_config_load_file(const char *path,
                                struct lb_yaml **root_out,
                                struct lb_error *err)
{
    char chunk[8192];
    struct lb_buf text;
    FILE *file = NULL;
    enum lb_err rc = LB_OK;
    size_t got;

    *root_out = NULL;
    lb_buf_init(&text, LB_YAML_BYTES);
    file = fopen(path, "rbe");
    if (file == NULL) {
        rc = lb_err_set(err, LB_ENOENT, "%s: can't be read (error %d)", path,
                        errno);
        if (errno == ENOENT) {
            rc = lb_err_set(err, LB_ENOENT, "%s: there is no such file", path);
        }
        goto out;
    }
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        lb_buf_add(&text, chunk, got);
    }
    if (text.is_failed || ferror(file) != 0) {
        rc = lb_err_set(err, LB_EIO, "%s: larger than 4 MiB or can't be read",
                        path);
        goto out;
    }
    rc = lb_yaml_parse(lb_buf_text(&text), text.len, root_out, err);
    if (rc != LB_OK) {
        char said[LB_ERROR_TEXT_BYTES];

        memcpy(said, err->text, sizeof(said));
        rc = lb_err_set(err, rc, "%s:%s", path, said);
    }
out:
    if (file != NULL) {
        (void)fclose(file);
    }
    lb_buf_deinit(&text);
    return rc;
}

void lb_config_parse_listen(const char *text,
                            char host_out[LB_CONFIG_HOST_BYTES],
                            int *port_out)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon == NULL ? strlen(text) : (size_t)(colon - text);

    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    (void)snprintf(
        host_out, LB_CONFIG_HOST_BYTES, "%.*s",
        (int)(len < LB_CONFIG_HOST_BYTES ? len : LB_CONFIG_HOST_BYTES - 1),
        text);
    *port_out = colon == NULL ? 8787 : (int)strtol(colon + 1, NULL, 10);
}
