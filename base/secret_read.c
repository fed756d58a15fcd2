/* secret_read.c - secrets from the environment and from files. */
#include "base/secret_read.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char white[] = " \t\r\n";

enum lb_err lb_secret_read_env(const char *name,
                               char *out,
                               size_t out_bytes,
                               struct lb_error *err)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets the environment */
    const char *value = getenv(name);
    size_t len = value == NULL ? 0 : strlen(value);

    out[0] = '\0';
    if (len == 0) {
        return lb_err_set(err, LB_ENOTFOUND,
                          "the environment variable %s is not set", name);
    }
    if (len >= out_bytes) {
        return lb_err_set(err, LB_ELIMIT,
                          "the environment variable %s is longer than %zu "
                          "bytes",
                          name, out_bytes - 1);
    }
    memcpy(out, value, len + 1);
    return LB_OK;
}

enum lb_err lb_secret_read_file(const char *path,
                                char *out,
                                size_t out_bytes,
                                struct lb_error *err)
{
    FILE *file = fopen(path, "rbe");
    bool is_failed;
    size_t len;

    out[0] = '\0';
    if (file == NULL) {
        return errno == ENOENT
                   ? lb_err_set(err, LB_ENOENT, "there is no file %s", path)
                   : lb_err_set(err, LB_EIO, "the file %s can't be read", path);
    }
    len = fread(out, 1, out_bytes, file);
    is_failed = ferror(file) != 0;
    (void)fclose(file);
    if (is_failed || len == out_bytes) {
        out[0] = '\0';
        return is_failed
                   ? lb_err_set(err, LB_EIO, "the file %s can't be read", path)
                   : lb_err_set(err, LB_ELIMIT,
                                "the file %s is longer than %zu bytes", path,
                                out_bytes - 1);
    }
    out[len] = '\0';
    return LB_OK;
}

char *lb_secret_read_line(char **at)
{
    char *line = *at + strspn(*at, white);
    size_t len = strcspn(line, "\n");

    *at = line + len + (line[len] == '\n' ? 1 : 0);
    while (len > 0 && strchr(white, line[len - 1]) != NULL) {
        len--;
    }
    line[len] = '\0';
    return len == 0 ? NULL : line;
}
