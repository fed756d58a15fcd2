/* stream.c - a destination's stream of events. */
#include "alerts/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/export_row.h"
#include "aggregate/filter.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "base/zone.h"
#include "sql/dict.h"
#include "sql/log_store.h"

#define BATCH_BYTES ((size_t)96 * 1024 * 1024) /* of rows as text, at most */
#define ROW_BYTES ((size_t)1024 * 1024)
#define SHORTEST_LOOK_MS 50
#define LOOK_SEQS 200000 /* of the log, at a look */
#define ALL_TYPES ((1u << ENTRY_TYPE_COUNT) - 1)

/* What a stream takes. */
struct wish {
    const struct destination_type *type;
    struct destination destination; /* for what it takes of contacts */
    const cJSON *sites;             /* globs; NULL: all */
    struct filter *filter;          /* owned; NULL: everything */
    uint32_t types;
    bool has_all_traffic;
    size_t max_rows;
    int64_t max_wait_ms;
    int64_t from_at_ms; /* by the events' own time */
    bool is_from_start;
    struct lb_buf scratch;
};

/* --- what it takes
 * ------------------------------------------------------------------------ */

bool stream_is_there(const cJSON *destination)
{
    return cJSON_IsObject(
        cJSON_GetObjectItemCaseSensitive(destination, "stream"));
}

static bool asks_for_traffic(const struct filter *filter)
{
    for (size_t i = 0; i < filter_clause_count(filter); i++) {
        if (filter_clause_dimension(filter, i)->kind == DIMENSION_TRAFFIC) {
            return true;
        }
    }
    return false;
}

static void read_types(struct wish *wish, const cJSON *stream)
{
    const cJSON *item;
    enum entry_type type;

    cJSON_ArrayForEach (item,
                        cJSON_GetObjectItemCaseSensitive(stream, "types")) {
        if (cJSON_IsString(item) && strcmp(item->valuestring, "all") == 0) {
            wish->types = ALL_TYPES;
        } else if (cJSON_IsString(item) &&
                   entry_type_from_name(item->valuestring, &type)) {
            wish->types |= 1u << type;
        }
    }
}

/* The stream as it stands in the destination, or as it stood when its batch was
 * planned. */
static enum lb_err read_wish(const cJSON *destination,
                             const cJSON *stream,
                             bool is_case_kept,
                             struct wish *wish,
                             struct lb_error *err)
{
    const char *filter = lb_json_text(stream, "filter");
    const char *wait = lb_json_text(stream, "max_wait");
    const char *from = lb_json_text(stream, "from");
    int64_t rows = lb_json_int(stream, "max_rows");
    enum lb_err rc = LB_OK;

    memset(wish, 0, sizeof(*wish));
    lb_buf_init(&wish->scratch, ROW_BYTES);
    if (!destination_read_plain(destination, &wish->destination)) {
        return lb_err_set(err, LB_EINVAL, "its type is not of this version");
    }
    wish->type = wish->destination.type;
    wish->sites = cJSON_GetObjectItemCaseSensitive(stream, "sites");
    read_types(wish, stream);
    if (filter != NULL) {
        rc = filter_parse(filter, is_case_kept, &wish->filter, err);
    }
    wish->has_all_traffic =
        wish->filter != NULL && asks_for_traffic(wish->filter);
    wish->max_rows = rows > 0 ? (size_t)rows : STREAM_ROWS;
    if (wish->max_rows > wish->type->stream_rows) {
        wish->max_rows = wish->type->stream_rows;
    }
    wish->max_wait_ms = STREAM_WAIT_MS;
    if (wait != NULL) {
        (void)lb_config_parse_duration(wait, &wish->max_wait_ms);
    }
    wish->from_at_ms = INT64_MIN;
    wish->is_from_start = from != NULL && strcmp(from, "now") != 0;
    if (wish->is_from_start && strcmp(from, "start") != 0) {
        (void)lb_zone_parse_instant(from, &wish->from_at_ms);
    }
    return rc;
}

static void release_wish(struct wish *wish)
{
    filter_free(wish->filter);
    lb_buf_deinit(&wish->scratch);
}

static bool takes_site(const struct wish *wish, const char *site)
{
    const cJSON *item;

    if (wish->sites == NULL) {
        return true;
    }
    cJSON_ArrayForEach (item, wish->sites) {
        if (cJSON_IsString(item) &&
            lb_text_matches_glob(item->valuestring, site)) {
            return true;
        }
    }
    return false;
}

static bool
takes(struct wish *wish, const struct entry *entry, const char *site)
{
    return site != NULL && entry->kind == ENTRY_EVENT &&
           (wish->types & 1u << entry->type) != 0 &&
           (wish->has_all_traffic || entry->traffic == ENTRY_HUMAN) &&
           takes_site(wish, site) &&
           (wish->filter == NULL ||
            filter_matches(wish->filter, entry, site, false, &wish->scratch));
}

static const char *site_of(const struct catalog *catalog,
                           const struct entry *entry)
{
    const struct catalog_site *site =
        catalog_site_by_number(catalog, entry->site);

    return site == NULL ? NULL : site->id;
}

/* A row without what the destination does not take of a contact. */
static void add_row(const struct wish *wish,
                    const struct entry *entry,
                    const char *site,
                    struct lb_buf *out)
{
    static const char *const fields[ENTRY_CONTACT_COUNT] = {"email", "name",
                                                            "message", "phone"};
    struct entry copy = *entry;

    for (int i = 0; i < ENTRY_CONTACT_COUNT; i++) {
        if (!destination_takes(&wish->destination, fields[i])) {
            copy.contact[i] = NULL;
        }
    }
    export_row_json(&copy, site, out);
}

/* --- reading the log
 * ------------------------------------------------------------------------ */

struct reading {
    struct dict_cache *cache;  /* owned */
    struct log_reader *reader; /* owned */
};

static enum lb_err open_reading(struct db *db,
                                const struct wish *wish,
                                int64_t after_seq,
                                int64_t upto_seq,
                                struct reading *reading,
                                struct lb_error *err)
{
    const struct log_range range = {.after_seq = after_seq,
                                    .upto_seq = upto_seq,
                                    .from_at_ms = wish->from_at_ms,
                                    .to_at_ms = INT64_MAX,
                                    .has_texts = true};

    reading->reader = NULL;
    reading->cache = dict_cache_new();
    return reading->cache == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory")
                                  : log_reader_open(db, reading->cache, &range,
                                                    &reading->reader, err);
}

static void close_reading(struct reading *reading)
{
    log_reader_close(reading->reader);
    dict_cache_free(reading->cache);
}

/* --- planning
 * ------------------------------------------------------------------------ */

/* What was found behind the last batch. */
struct found {
    size_t count;
    size_t bytes;
    int64_t first_seq;
    int64_t last_seq;
    int64_t oldest_ms;
    bool is_full;
};

static size_t bytes_max(const struct destination_type *type)
{
    return type->stream_bytes == 0 ? BATCH_BYTES / 2 : type->stream_bytes;
}

static enum lb_err find_rows(struct wish *wish,
                             const struct catalog *catalog,
                             struct reading *reading,
                             struct found *found,
                             struct lb_error *err)
{
    const struct entry *entry = NULL;
    struct lb_buf row;
    enum lb_err rc = LB_OK;

    lb_buf_init(&row, ROW_BYTES);
    while (rc == LB_OK && !found->is_full) {
        const char *site;

        rc = log_reader_next(reading->reader, &entry, err);
        if (rc != LB_OK || entry == NULL) {
            break;
        }
        site = site_of(catalog, entry);
        if (!takes(wish, entry, site)) {
            continue;
        }
        lb_buf_clear(&row);
        add_row(wish, entry, site, &row);
        if (found->count > 0 &&
            found->bytes + row.len > bytes_max(wish->type)) {
            found->is_full = true; /* it begins the next batch */
            break;
        }
        found->oldest_ms =
            found->count == 0 || entry->received_at_ms < found->oldest_ms
                ? entry->received_at_ms
                : found->oldest_ms;
        found->first_seq = found->count == 0 ? entry->seq : found->first_seq;
        found->last_seq = entry->seq;
        found->bytes += row.len;
        found->is_full = ++found->count == wish->max_rows;
    }
    lb_buf_deinit(&row);
    return rc;
}

/* The message of a batch; stream is what it takes. */
static enum lb_err write_batch(const cJSON *destination,
                               const struct found *found,
                               const char *timestamp,
                               const cJSON *stream,
                               struct stream_plan *plan,
                               struct lb_error *err)
{
    (void)snprintf(plan->id, sizeof(plan->id), STREAM_ID_MARK "%.40s_%lld_%lld",
                   lb_json_text(destination, "id"), (long long)found->first_seq,
                   (long long)found->last_seq);
    lb_buf_add_text(&plan->body, "{\"type\":\"event.batch\",\"timestamp\":");
    lb_json_add_string(&plan->body, timestamp);
    lb_buf_add_text(&plan->body, ",\"data\":{\"batch\":");
    lb_json_add_string(&plan->body, plan->id);
    lb_buf_printf(&plan->body, ",\"first\":%lld,\"last\":%lld",
                  (long long)found->first_seq, (long long)found->last_seq);
    if (found->count > 0) {
        lb_buf_printf(&plan->body, ",\"count\":%zu", found->count);
    }
    lb_buf_add_text(&plan->body, ",\"stream\":");
    lb_json_add_item(&plan->body, stream);
    lb_buf_add_text(&plan->body, "}}");
    if (plan->body.is_failed) {
        return lb_err_set(err, LB_ELIMIT,
                          "what the stream takes is too long to be kept with "
                          "each batch; name fewer sites");
    }
    plan->has_batch = true;
    plan->planned_seq = found->last_seq;
    return LB_OK;
}

static enum lb_err plan_found(const struct stream_order *order,
                              const struct found *found,
                              struct stream_plan *plan,
                              struct lb_error *err)
{
    char timestamp[LB_CLOCK_TEXT_BYTES];

    lb_clock_format(order->now_ms, timestamp);
    return write_batch(
        order->destination, found, timestamp,
        cJSON_GetObjectItemCaseSensitive(order->destination, "stream"), plan,
        err);
}

/* From planned_seq of the plan to last_seq.  is_behind: the log goes on after
 * that. */
static enum lb_err plan_batch(const struct stream_order *order,
                              struct wish *wish,
                              int64_t last_seq,
                              bool is_behind,
                              struct stream_plan *plan,
                              struct lb_error *err)
{
    /* Taken when the log's end is known: it has each site that is in it. */
    struct catalog *catalog = catalog_current(order->holder);
    struct reading reading;
    struct found found = {0};
    enum lb_err rc = open_reading(order->db, wish, plan->planned_seq, last_seq,
                                  &reading, err);
    int64_t due_ms;

    rc = rc == LB_OK ? find_rows(wish, catalog, &reading, &found, err) : rc;
    close_reading(&reading);
    catalog_unref(catalog);
    if (rc != LB_OK) {
        return rc;
    }
    due_ms = found.oldest_ms + wish->max_wait_ms;
    if (found.count == 0) {
        plan->planned_seq = last_seq;
        plan->next_look_ms = is_behind ? order->now_ms : plan->next_look_ms;
    } else if (found.is_full || is_behind || order->now_ms >= due_ms) {
        rc = plan_found(order, &found, plan, err);
    } else {
        /* Where many come, it may be full before. */
        int64_t soon_ms =
            order->now_ms + wish->max_wait_ms / 8 + SHORTEST_LOOK_MS;

        plan->next_look_ms = due_ms < soon_ms ? due_ms : soon_ms;
        plan->planned_seq = found.first_seq - 1;
    }
    return rc;
}

enum lb_err stream_make_plan(const struct stream_order *order,
                             int64_t planned_seq,
                             struct stream_plan *plan_out,
                             struct lb_error *err)
{
    const cJSON *stream =
        cJSON_GetObjectItemCaseSensitive(order->destination, "stream");
    int64_t next_seq = 1;
    struct wish wish;
    enum lb_err rc =
        read_wish(order->destination, stream, order->is_case_kept, &wish, err);

    rc = rc == LB_OK ? db_meta_get(order->db, "next_seq", 1, &next_seq, err)
                     : rc;
    plan_out->has_batch = false;
    plan_out->next_look_ms = order->now_ms + SHORTEST_LOOK_MS;
    plan_out->planned_seq = planned_seq >= 0     ? planned_seq
                            : wish.is_from_start ? 0
                                                 : next_seq - 1;
    if (rc == LB_OK && next_seq - 1 > plan_out->planned_seq) {
        bool is_behind = next_seq - 1 - plan_out->planned_seq > LOOK_SEQS;

        rc = plan_batch(order, &wish,
                        is_behind ? plan_out->planned_seq + LOOK_SEQS
                                  : next_seq - 1,
                        is_behind, plan_out, err);
    }
    release_wish(&wish);
    return rc;
}

enum lb_err stream_halve(const cJSON *destination,
                         const char *body,
                         struct stream_plan *part_out,
                         struct lb_error *err)
{
    cJSON *json = cJSON_Parse(body);
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(json, "data");
    int64_t first_seq = lb_json_int(data, "first");
    int64_t last_seq = lb_json_int(data, "last");
    const struct found found = {.first_seq = first_seq,
                                .last_seq =
                                    first_seq + (last_seq - first_seq) / 2};
    enum lb_err rc = LB_OK;

    part_out->has_batch = false;
    if (data == NULL) {
        rc = lb_err_set(err, LB_EFORMAT, "the batch is damaged");
    } else if (first_seq < last_seq) {
        rc = write_batch(destination, &found, lb_json_text(json, "timestamp"),
                         cJSON_GetObjectItemCaseSensitive(data, "stream"),
                         part_out, err);
    }
    cJSON_Delete(json);
    return rc;
}

/* --- the rows of a batch
 * ------------------------------------------------------------------------ */

int64_t stream_row_seq(const char *line)
{
    static const char head[] = "{\"seq\":"; /* of a row as it is read */
    cJSON *row;
    int64_t seq;

    if (strncmp(line, head, sizeof(head) - 1) == 0) {
        return strtoll(line + sizeof(head) - 1, NULL, 10);
    }
    row = cJSON_Parse(line);
    seq = lb_json_int(row, "seq");
    cJSON_Delete(row);
    return seq;
}

/* A row on its way into an order by place. */
struct placed {
    char *text; /* owned; with its newline */
    int64_t site;
    int64_t day;
    size_t number;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed *x = a;
    const struct placed *y = b;

    if (x->site != y->site) {
        return x->site < y->site ? -1 : 1;
    }
    if (x->day != y->day) {
        return x->day < y->day ? -1 : 1;
    }
    return x->number < y->number ? -1 : 1;
}

struct rows {
    struct lb_buf text; /* as they come; or */
    struct placed *all; /* owned, by place */
    size_t count;
    size_t cap;
};

/* False: out of memory. */
static bool keep_placed(struct rows *rows,
                        const struct entry *entry,
                        const struct lb_buf *text)
{
    if (rows->count == rows->cap) {
        size_t cap = rows->cap == 0 ? 256 : rows->cap * 2;
        struct placed *more = realloc(rows->all, cap * sizeof(*more));

        if (more == NULL) {
            return false;
        }
        rows->all = more;
        rows->cap = cap;
    }
    rows->all[rows->count] =
        (struct placed){strdup(lb_buf_text(text)), entry->site,
                        entry->ts_at_ms / LB_MS_PER_DAY, rows->count};
    return rows->all[rows->count++].text != NULL;
}

static enum lb_err read_rows(struct wish *wish,
                             const struct catalog *catalog,
                             struct reading *reading,
                             struct rows *rows,
                             struct lb_error *err)
{
    const struct entry *entry = NULL;
    struct lb_buf row;
    enum lb_err rc = LB_OK;

    lb_buf_init(&row, ROW_BYTES);
    while (rc == LB_OK &&
           (rc = log_reader_next(reading->reader, &entry, err)) == LB_OK &&
           entry != NULL) {
        const char *site = site_of(catalog, entry);

        if (!takes(wish, entry, site)) {
            continue;
        }
        if (!wish->type->is_by_place) {
            add_row(wish, entry, site, &rows->text);
            continue;
        }
        lb_buf_clear(&row);
        add_row(wish, entry, site, &row);
        if (row.is_failed || !keep_placed(rows, entry, &row)) {
            rc = lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    lb_buf_deinit(&row);
    return rc;
}

static void write_placed(struct rows *rows)
{
    struct placed *all = rows->all;

    if (all == NULL) {
        return;
    }
    qsort(all, rows->count, sizeof(*all), compare_placed);
    for (size_t i = 0; i < rows->count; i++) {
        if (i > 0 &&
            (all[i - 1].site != all[i].site || all[i - 1].day != all[i].day)) {
            lb_buf_add_char(&rows->text, '\n');
        }
        lb_buf_add_text(&rows->text, all[i].text);
    }
}

static enum lb_err fill(const struct stream_source *source,
                        const cJSON *data,
                        struct rows *rows,
                        struct lb_error *err)
{
    struct wish wish;
    struct reading reading;
    enum lb_err rc = read_wish(source->destination,
                               cJSON_GetObjectItemCaseSensitive(data, "stream"),
                               source->is_case_kept, &wish, err);

    if (rc == LB_OK) {
        rc = open_reading(source->db, &wish, lb_json_int(data, "first") - 1,
                          lb_json_int(data, "last"), &reading, err);
        rc = rc == LB_OK
                 ? read_rows(&wish, source->catalog, &reading, rows, err)
                 : rc;
        close_reading(&reading);
    }
    write_placed(rows);
    release_wish(&wish);
    return rc == LB_OK && rows->text.is_failed
               ? lb_err_set(err, LB_ENOMEM, "out of memory")
               : rc;
}

enum lb_err stream_add_rows(const struct stream_source *source,
                            char **body,
                            struct lb_error *err)
{
    cJSON *json = cJSON_Parse(*body);
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(json, "data");
    struct rows rows = {0};
    enum lb_err rc;

    lb_buf_init(&rows.text, BATCH_BYTES);
    lb_buf_add_text(&rows.text, *body);
    lb_buf_add_char(&rows.text, '\n');
    rc = data == NULL ? lb_err_set(err, LB_EFORMAT, "the batch is damaged")
                      : fill(source, data, &rows, err);
    if (rc == LB_OK) {
        char *whole = lb_buf_take(&rows.text);

        rc =
            whole == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory") : LB_OK;
        if (whole != NULL) {
            free(*body);
            *body = whole;
        }
    }
    for (size_t i = 0; i < rows.count; i++) {
        free(rows.all[i].text);
    }
    free(rows.all);
    lb_buf_deinit(&rows.text);
    cJSON_Delete(json);
    return rc;
}
