/* batch.c - the events of one request. */
#include "ingest/batch.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/metrics.h"

#define ARENA_FACTOR                                                           \
    40 /* an event's tree and texts take more than its bytes                   \
        */
#define ARENA_LEAST ((size_t)1024 * 1024)
#define SCRATCH_FROM ((size_t)16 * 1024) /* bytes of a body */

void batch_init(struct batch *batch)
{
    memset(batch, 0, sizeof(*batch));
    lb_buf_init(&batch->errors, (size_t)512 * 1024);
    batch->listed_max = BATCH_ERRORS;
}

void batch_deinit(struct batch *batch)
{
    lb_arena_free(batch->arena);
    batch->arena = NULL;
    lb_buf_deinit(&batch->errors);
}

void batch_fail(
    struct batch *batch, int status, const char *code, const char *fmt, ...)
{
    va_list args;

    batch->status = status;
    batch->code = code;
    va_start(args, fmt);
    (void)vsnprintf(batch->message, sizeof(batch->message), fmt, args);
    va_end(args);
}

void batch_reject(struct batch *batch,
                  const struct event_fault *fault,
                  const struct event *event)
{
    struct lb_buf *errors = &batch->errors;

    batch->rejected_count++;
    event_fault_count(fault, event == NULL || event->site == NULL
                                 ? NULL
                                 : entry_type_name(event->entry.type));
    if (batch->listed_count >= batch->listed_max) {
        return;
    }
    batch->listed_count++;
    lb_buf_add_text(errors, errors->len == 0 ? "{" : ",{");
    lb_buf_printf(errors, "\"index\":%zu,\"code\":\"%s\",\"message\":",
                  batch->sent_count - 1, fault->code);
    lb_json_add_string(errors, fault->message);
    if (fault->field != NULL) {
        lb_buf_add_text(errors, ",\"field\":");
        lb_json_add_string(errors, fault->field);
    }
    lb_buf_add_char(errors, '}');
}

struct work {
    struct batch *batch;
    const struct event_context *context;
    const struct batch_limits *limits;
    /* Where an event is read, the batch's arena or, for a larger body, one that
     * is used again for each event: the JSON takes several times what is kept
     * of it. */
    struct lb_arena *scratch;
    struct event *spare; /* in batch->arena; of an event that was refused */
};

bool batch_add(struct batch *batch, struct event *event)
{
    if (batch->event_count == batch->event_cap) {
        size_t cap = batch->event_cap == 0 ? 16 : batch->event_cap * 4;
        struct event **events =
            lb_arena_alloc(batch->arena, cap * sizeof(struct event *));

        if (events == NULL) {
            return false;
        }
        if (batch->event_count > 0) {
            memcpy(events, batch->events,
                   batch->event_count * sizeof(struct event *));
        }
        batch->events = events;
        batch->event_cap = cap;
    }
    batch->events[batch->event_count++] = event;
    return true;
}

bool batch_close(struct batch *batch)
{
    if (batch->event_count > 0) {
        batch->is_duplicate =
            lb_arena_calloc(batch->arena, batch->event_count * sizeof(bool));
    }
    return batch->event_count == 0 || batch->is_duplicate != NULL;
}

static bool keep_event(struct work *work, struct event *event)
{
    work->spare = NULL;
    return (work->scratch == work->batch->arena ||
            event_keep(event, work->batch->arena)) &&
           batch_add(work->batch, event);
}

/* One event's JSON; is_checked: it is known to be JSON. */
static void
read_one(struct work *work, const char *bytes, size_t len, bool is_checked)
{
    struct batch *batch = work->batch;
    struct event_fault fault = {NULL, NULL, 0, ""};
    struct lb_json_fault json_fault;
    struct event *event = NULL;
    bool has_memory;
    cJSON *json;

    if (++batch->sent_count > work->limits->events) {
        batch->limit = "events_per_request";
        batch_fail(batch, 413, "too_many_events",
                   "The request holds more than %zu events; send it in parts.",
                   work->limits->events);
        return;
    }
    if (len > work->limits->event_bytes) {
        fault.code = "event_too_large";
        (void)snprintf(fault.message, sizeof(fault.message),
                       "the event has %zu bytes; %zu are taken", len,
                       work->limits->event_bytes);
        batch_reject(batch, &fault, NULL);
        return;
    }
    if (!is_checked && len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        fault.code = "bad_json";
        (void)snprintf(fault.message, sizeof(fault.message),
                       "a byte order mark inside the body");
        batch_reject(batch, &fault, NULL);
        return;
    }
    if (!is_checked && lb_json_check(bytes, len, work->limits->json_depth,
                                     &json_fault) != LB_OK) {
        if (strcmp(json_fault.code, "json_too_deep") == 0) {
            lb_metrics_limit_hit("json_depth");
        }
        fault.code = "bad_json";
        (void)snprintf(fault.message, sizeof(fault.message),
                       "not JSON at column %zu: %s", json_fault.column,
                       json_fault.reason);
        batch_reject(batch, &fault, NULL);
        return;
    }
    if (work->scratch != batch->arena) {
        lb_arena_clear(work->scratch);
    }
    event = work->spare != NULL ? work->spare
                                : lb_arena_alloc(batch->arena, sizeof(*event));
    work->spare = event;
    json = lb_json_parse_checked(bytes, len, work->scratch);
    has_memory = event != NULL && json != NULL;
    if (has_memory &&
        !event_read(work->context, json, work->scratch, event, &fault)) {
        if (fault.site != 0 && work->context->refused != NULL) {
            refused_store_note(work->context->refused, fault.site, fault.code,
                               work->context->received_at_ms);
        }
        batch_reject(batch, &fault, event);
    } else if (!has_memory || !keep_event(work, event)) {
        batch_fail(batch, 503, "overloaded",
                   "The request takes more memory than there is for it.");
    }
}

static void read_lines(struct work *work, const char *body, size_t len)
{
    const char *end = body + len;

    while (body < end && work->batch->status == 0) {
        const char *lf = memchr(body, '\n', (size_t)(end - body));
        const char *stop = lf == NULL ? end : lf;
        const char *next = lf == NULL ? end : lf + 1;

        while (stop > body &&
               (stop[-1] == '\r' || stop[-1] == ' ' || stop[-1] == '\t')) {
            stop--;
        }
        while (body < stop && (*body == ' ' || *body == '\t')) {
            body++;
        }
        if (stop > body) {
            read_one(work, body, (size_t)(stop - body), false);
        }
        body = next;
    }
}

/* Where the value at bytes, part of checked JSON, ends: a comma or bracket of
 * the level above, or the end. */
static const char *end_of_value(const char *at, const char *end)
{
    unsigned depth = 0;
    bool is_text = false;

    for (; at < end; at++) {
        if (is_text && *at == '\\') {
            at++; /* whatever is escaped ends no text */
        } else if (is_text) {
            is_text = *at != '"';
        } else if (*at == '"') {
            is_text = true;
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (depth == 0 && (*at == ',' || *at == ']')) {
            return at;
        } else if (*at == '}' || *at == ']') {
            depth--;
        }
    }
    return end;
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end &&
           (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    return at;
}

static void read_document(struct work *work, const char *body, size_t len)
{
    struct lb_json_fault fault = {NULL, NULL, 0, 0};
    const char *end = body + len;
    const char *at = skip_space(body, end);

    if (at == end) {
        return;
    }
    if (*at == '\xef') {
        batch_fail(work->batch, 400, "bad_json",
                   "A second byte order mark stands at line 1, column 1.");
        return;
    }
    if (lb_json_check(body, len, work->limits->json_depth, &fault) != LB_OK) {
        if (strcmp(fault.code, "json_too_deep") == 0) {
            work->batch->limit = "json_depth";
        }
        batch_fail(work->batch, 400, fault.code,
                   "The body is not JSON at line %zu, column %zu: %s.",
                   fault.line, fault.column, fault.reason);
        return;
    }
    if (*at != '[') {
        read_one(work, at, (size_t)(end - at), true);
        return;
    }
    at = skip_space(at + 1, end);
    while (at < end && *at != ']' && work->batch->status == 0) {
        const char *stop = end_of_value(at, end);

        read_one(work, at, (size_t)(stop - at), true);
        at = skip_space(*stop == ',' ? stop + 1 : stop, end);
    }
}

static void hold(const struct batch_limits *limits, size_t bytes)
{
    if (limits->hold != NULL) {
        limits->hold(limits->hold_ctx, bytes);
    }
}

void batch_unpack(struct batch *batch,
                  const struct batch_limits *limits,
                  const struct batch_body *body,
                  struct lb_buf *out)
{
    bool is_short = limits->room_bytes < limits->body_inflated_bytes;
    enum lb_err rc;

    lb_buf_init(out,
                is_short ? limits->room_bytes : limits->body_inflated_bytes);
    rc = lb_inflate(body->encoding, body->bytes, body->len, out);
    hold(limits, out->cap);
    if (rc == LB_ELIMIT && is_short) {
        batch->limit = "inflight_bytes";
        batch_fail(batch, 503, "overloaded",
                   "There is no memory to unpack the body in now.");
    } else if (rc == LB_ELIMIT) {
        batch->limit = "body_inflated";
        batch_fail(
            batch, 413, "too_large",
            "The unpacked body is larger than %zu bytes; send it in parts.",
            limits->body_inflated_bytes);
    } else if (rc != LB_OK) {
        batch_fail(
            batch, 400, "bad_encoding",
            "The body is not what Content-Encoding says, is cut short, or has "
            "bytes after its end.");
    }
}

void batch_read(struct batch *batch,
                const struct event_context *context,
                const struct batch_limits *limits,
                const struct batch_body *body)
{
    struct work work = {.batch = batch, .context = context, .limits = limits};
    const char *bytes = body->bytes;
    size_t len = body->len;
    struct lb_buf unpacked;

    lb_buf_init(&unpacked, 0);
    if (body->encoding != LB_INFLATE_NONE) {
        batch_unpack(batch, limits, body, &unpacked);
        bytes = lb_buf_text(&unpacked);
        len = unpacked.len;
    }
    if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        bytes += 3;
        len -= 3;
    }
    batch->arena = batch->status != 0
                       ? NULL
                       : lb_arena_new(ARENA_LEAST + len * ARENA_FACTOR);
    work.scratch =
        batch->arena != NULL && len > SCRATCH_FROM
            ? lb_arena_new(ARENA_LEAST + limits->event_bytes * ARENA_FACTOR)
            : batch->arena;
    if (batch->status == 0 && work.scratch == NULL) {
        batch_fail(batch, 503, "overloaded", "Out of memory.");
    }
    if (batch->status == 0) {
        if (body->is_ndjson) {
            read_lines(&work, bytes, len);
        } else {
            read_document(&work, bytes, len);
        }
    }
    if (batch->status == 0 && batch->sent_count == 0) {
        batch_fail(batch, 400, "no_events", "The body holds no event.");
    }
    if (batch->status == 0 && !batch_close(batch)) {
        batch_fail(batch, 503, "overloaded", "Out of memory.");
    }
    if (work.scratch != batch->arena) {
        lb_arena_free(work.scratch);
    }
    lb_buf_deinit(&unpacked);
    hold(limits, 0);
}

size_t batch_duplicates(const struct batch *batch)
{
    size_t count = 0;

    for (size_t i = 0; i < batch->event_count; i++) {
        count += batch->is_duplicate[i] ? 1 : 0;
    }
    return count;
}

int batch_answer(const struct batch *batch, struct lb_buf *out)
{
    size_t duplicates = batch_duplicates(batch);
    bool is_all_refused = batch->event_count == 0;

    lb_buf_add_text(out, "{\"accepted\":");
    lb_buf_add_int(out, (int64_t)(batch->event_count - duplicates));
    lb_buf_add_text(out, ",\"duplicates\":");
    lb_buf_add_int(out, (int64_t)duplicates);
    lb_buf_add_text(out, ",\"rejected\":");
    lb_buf_add_int(out, (int64_t)batch->rejected_count);
    lb_buf_add_text(out, ",\"errors\":[");
    lb_buf_add(out, batch->errors.data, batch->errors.len);
    lb_buf_add_char(out, ']');
    if (is_all_refused) {
        lb_buf_add_text(
            out,
            ",\"error\":{\"code\":\"all_refused\",\"message\":\"Every event "
            "was refused.\",\"hint\":\"See errors for the reason of each.\"}");
    }
    lb_buf_add_char(out, '}');
    return is_all_refused ? 422 : 202;
}
