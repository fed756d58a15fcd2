/* log.c - structured lines on standard error. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define LOG_LINE_BYTES 1024
#define LOG_LIMITED_EVENTS 32 /* distinct events whose repeats are counted */
#define LOG_REPEAT_MS LB_MS_PER_MIN

struct limited_event {
    char name[48];
    int64_t last_at_ms; /* monotonic */
    unsigned held_count;
};

static atomic_int lowest_level = LB_LOG_INFO;
static pthread_mutex_t limited_lock = PTHREAD_MUTEX_INITIALIZER;
static struct limited_event limited[LOG_LIMITED_EVENTS]; /* by limited_lock */

void lb_log_set_level(enum lb_log_level level)
{
    atomic_store(&lowest_level, (int)level);
}

static const char *level_name(enum lb_log_level level)
{
    switch (level) {
    case LB_LOG_DEBUG:
        return "debug";
    case LB_LOG_INFO:
        return "info";
    case LB_LOG_WARN:
        return "warn";
    case LB_LOG_ERROR:
        return "error";
    }
    return "error";
}

void lb_log_set_level_name(const char *name)
{
    for (int level = LB_LOG_DEBUG; level <= LB_LOG_ERROR; level++) {
        if (strcmp(name, level_name((enum lb_log_level)level)) == 0) {
            lb_log_set_level((enum lb_log_level)level);
        }
    }
}

static void write_line(enum lb_log_level level,
                       const char *event,
                       unsigned repeated_count,
                       const char *fmt,
                       va_list args) __attribute__((format(printf, 4, 0)));

static void write_line(enum lb_log_level level,
                       const char *event,
                       unsigned repeated_count,
                       const char *fmt,
                       va_list args)
{
    char line[LOG_LINE_BYTES];
    char at[LB_CLOCK_TEXT_BYTES];
    size_t len;
    int n;

    lb_clock_format(lb_clock_wall_ms(), at);
    n = snprintf(line, sizeof(line), "%s %s event=%s ", at, level_name(level),
                 event);
    len = n < 0 ? 0 : (size_t)n;
    if (len < sizeof(line)) {
        n = vsnprintf(line + len, sizeof(line) - len, fmt, args);
        len += n < 0 ? 0 : (size_t)n;
    }
    if (repeated_count > 0 && len < sizeof(line)) {
        n = snprintf(line + len, sizeof(line) - len, " repeated=%u",
                     repeated_count);
        len += n < 0 ? 0 : (size_t)n;
    }
    len = len > sizeof(line) - 2 ? sizeof(line) - 2 : len;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
            line[i] = ' ';
        }
    }
    line[len++] = '\n';
    /* Nothing can be done about a log that can't be written. */
    if (write(STDERR_FILENO, line, len) < 0) {
        return;
    }
}

void lb_log(enum lb_log_level level, const char *event, const char *fmt, ...)
{
    va_list args;

    if ((int)level < atomic_load(&lowest_level)) {
        return;
    }
    va_start(args, fmt);
    write_line(level, event, 0, fmt, args);
    va_end(args);
}

const char *lb_log_quote(const char *text, char *out, size_t out_bytes)
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    bool is_plain = text[0] != '\0';

    for (const char *c = text; *c != '\0' && is_plain; c++) {
        is_plain = (unsigned char)*c > 0x20 && *c != 0x7f && *c != '"' &&
                   *c != '\\' && *c != '=';
    }
    if (is_plain) {
        (void)snprintf(out, out_bytes, "%s", text);
        return out;
    }
    if (out_bytes < 8) {
        out[0] = '\0';
        return out;
    }
    out[at++] = '"';
    for (const char *c = text; *c != '\0' && at < out_bytes - 6; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte == '"' || byte == '\\') {
            out[at++] = '\\';
            out[at++] = (char)byte;
        } else if (byte < 0x20 || byte == 0x7f) {
            out[at++] = '\\';
            out[at++] = 'x';
            out[at++] = hex[byte >> 4];
            out[at++] = hex[byte & 15];
        } else {
            out[at++] = (char)byte;
        }
    }
    out[at++] = '"';
    out[at] = '\0';
    return out;
}

/* Whether this line goes out; *held_out then tells how many were kept back. */
static bool may_write(const char *event, unsigned *held_out)
{
    int64_t now_ms = lb_clock_mono_ms();
    struct limited_event *slot = &limited[0];
    bool is_due;

    (void)pthread_mutex_lock(&limited_lock);
    for (size_t i = 0; i < LOG_LIMITED_EVENTS; i++) {
        if (strncmp(limited[i].name, event, sizeof(slot->name) - 1) == 0) {
            slot = &limited[i];
            break;
        }
        if (limited[i].last_at_ms < slot->last_at_ms) {
            slot = &limited[i];
        }
    }
    if (strncmp(slot->name, event, sizeof(slot->name) - 1) != 0) {
        (void)snprintf(slot->name, sizeof(slot->name), "%s", event);
        slot->last_at_ms = 0;
        slot->held_count = 0;
    }
    is_due =
        slot->last_at_ms == 0 || now_ms - slot->last_at_ms >= LOG_REPEAT_MS;
    *held_out = slot->held_count;
    slot->held_count = is_due ? 0 : slot->held_count + 1;
    slot->last_at_ms = is_due ? now_ms : slot->last_at_ms;
    (void)pthread_mutex_unlock(&limited_lock);
    return is_due;
}

void lb_log_limited(enum lb_log_level level,
                    const char *event,
                    const char *fmt,
                    ...)
{
    unsigned held_count = 0;
    va_list args;

    if ((int)level < atomic_load(&lowest_level) ||
        !may_write(event, &held_count)) {
        return;
    }
    va_start(args, fmt);
    write_line(level, event, held_count, fmt, args);
    va_end(args);
}
