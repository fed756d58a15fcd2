/* err.c - error codes and the text that travels with them. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum lb_err
lb_err_set(struct lb_error *err, enum lb_err code, const char *fmt, ...)
{
    if (err != NULL) {
        va_list args;
        err->code = code;
        va_start(args, fmt);
        if (vsnprintf(err->text, sizeof(err->text), fmt, args) < 0) {
            err->text[0] = '\0';
        }
        va_end(args);
    }
    return code;
}

enum lb_err lb_err_prefix(struct lb_error *err, const char *fmt, ...)
{
    char before[LB_ERROR_TEXT_BYTES];
    char after[LB_ERROR_TEXT_BYTES];
    va_list args;

    va_start(args, fmt);
    if (vsnprintf(before, sizeof(before), fmt, args) < 0) {
        before[0] = '\0';
    }
    va_end(args);
    memcpy(after, err->text, sizeof(after));
    after[sizeof(after) - 1] = '\0';
    return lb_err_set(err, err->code, "%s: %s", before, after);
}

const char *lb_err_name(enum lb_err code)
{
    switch (code) {
    case LB_OK:
        return "ok";
    case LB_EINVAL:
        return "invalid";
    case LB_ENOMEM:
        return "out_of_memory";
    case LB_ENOENT:
        return "no_such_file";
    case LB_ENOTFOUND:
        return "not_found";
    case LB_EEXIST:
        return "exists";
    case LB_EFORMAT:
        return "bad_format";
    case LB_ELIMIT:
        return "limit";
    case LB_EIO:
        return "io_error";
    case LB_EFULL:
        return "disk_full";
    case LB_EREADONLY:
        return "read_only";
    case LB_EBUSY:
        return "busy";
    case LB_EVERSION:
        return "newer_version";
    case LB_EAUTH:
        return "unauthorized";
    case LB_EFORBIDDEN:
        return "forbidden";
    case LB_ETIMEOUT:
        return "timeout";
    case LB_ECANCELLED:
        return "cancelled";
    case LB_ENET:
        return "network";
    case LB_EINTERNAL:
        return "internal";
    }
    return "unknown";
}
