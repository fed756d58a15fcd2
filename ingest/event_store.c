/* event_store.c - appending events on the writer thread. */
#include "ingest/event_store.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "ingest/burst.h"
#include "ingest/dedupe.h"
#include "ingest/engagement_store.h"
#include "ingest/import_store.h"
#include "ingest/utm_cap_store.h"
#include "sql/log_store.h"
#include "sql/own_key.h"

#define ANSWER_KEPT_MS (24 * LB_MS_PER_HOUR)
#define JOINED_BYTES 1100
#define MEMORY_STEP 4096 /* events remembered at a time at start */
#define AHEAD 8 /* events whose ids are on their way out of the memory */

struct event_store {
    struct cursor *cursor;
    struct dict *dict;
    struct visitors *visitors;
    struct dedupe *dedupe; /* owned */
    struct decide *decide; /* owned; of live events */
    struct burst *burst;   /* owned; of live events */
    _Atomic int64_t burst_per_minute;
    struct utm_cap_store *cap; /* owned */
    struct import_store
        *import; /* the one that this transaction appended for */
    uint8_t id_key[16];
    int64_t recent_seq; /* at start: first live event of the last half hour */
    int64_t dedupe_window_ms;
    uint64_t shown_evicted;
    struct lb_metric *ids;
    struct lb_metric *evicted;
};

static void committed(void *ctx)
{
    struct event_store *store = ctx;

    if (store->import != NULL) {
        import_store_commit(store->import);
        store->import = NULL;
    }
    decide_commit(store->decide);
    burst_commit(store->burst);
    dedupe_commit(store->dedupe, lb_clock_wall_ms());
    lb_metrics_set(store->ids, (int64_t)dedupe_count(store->dedupe));
    lb_metrics_add(store->evicted, (int64_t)(dedupe_evicted(store->dedupe) -
                                             store->shown_evicted));
    store->shown_evicted = dedupe_evicted(store->dedupe);
}

static void rolled_back(void *ctx)
{
    struct event_store *store = ctx;

    if (store->import != NULL) {
        import_store_rollback(store->import);
        store->import = NULL;
    }
    decide_rollback(store->decide);
    burst_rollback(store->burst);
    dedupe_rollback(store->dedupe);
    utm_cap_store_forget(store->cap);
}

/* --- start ------------------------------------------------------------------
 */

static enum lb_err load_ids(struct event_store *store,
                            struct db *db,
                            const struct event_store_limits *limits,
                            struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_EVENT_LAST_IDS);
    int64_t since_ms = lb_clock_wall_ms() - DECIDE_WINDOW_MS;
    int64_t next_seq = 1;
    bool has_row = false;
    enum lb_err rc = db_meta_get(db, "next_seq", 1, &next_seq, err);

    store->recent_seq = INT64_MAX;
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1,
                                 next_seq - (int64_t)limits->dedupe_ids);
    }
    while (rc == LB_OK && (rc = db_next(db, stmt, &has_row, err)) == LB_OK &&
           has_row) {
        uint64_t hash = (uint64_t)sqlite3_column_int64(stmt, 0);

        if (store->recent_seq == INT64_MAX &&
            sqlite3_column_int64(stmt, 1) >= since_ms) {
            store->recent_seq = sqlite3_column_int64(stmt, 2);
        }
        if (!dedupe_has(store->dedupe, hash) &&
            dedupe_add(store->dedupe, hash, sqlite3_column_int64(stmt, 1)) !=
                LB_OK) {
            (void)sqlite3_reset(stmt);
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    return rc;
}

/* The count-th live event of the last half hour. */
static enum lb_err
remember(struct event_store *store, const struct entry *entry, size_t count)
{
    enum lb_err rc = decide_remember(store->decide, entry);

    if (rc == LB_OK && entry->visitor != 0) {
        rc = burst_remember(store->burst, entry,
                            atomic_load(&store->burst_per_minute));
    }
    if (count % MEMORY_STEP == 0) {
        decide_commit(store->decide); /* lets go what is too much */
        burst_commit(store->burst);
    }
    return rc;
}

static enum lb_err
load_memory(struct event_store *store, struct db *db, struct lb_error *err)
{
    struct log_range range = {.upto_seq = INT64_MAX,
                              .from_at_ms = INT64_MIN,
                              .to_at_ms = INT64_MAX,
                              .has_texts = true};
    struct dict_cache *cache = dict_cache_new();
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    int64_t since_ms = lb_clock_wall_ms() - DECIDE_WINDOW_MS;
    size_t count = 0;
    enum lb_err rc =
        cache == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory") : LB_OK;

    range.after_seq = store->recent_seq - 1;
    rc = rc == LB_OK ? log_reader_open(db, cache, &range, &reader, err) : rc;
    while (rc == LB_OK &&
           (rc = log_reader_next(reader, &entry, err)) == LB_OK &&
           entry != NULL) {
        /* An import's events are received at their own time and are none of
         * ours. */
        if (entry->received_at_ms >= since_ms && !entry->is_silent) {
            rc = remember(store, entry, ++count);
        }
    }
    log_reader_close(reader);
    dict_cache_free(cache);
    decide_commit(store->decide);
    burst_commit(store->burst);
    return rc;
}

static void expire(struct db *db, enum sql_query query, int64_t before_ms)
{
    struct lb_error err;

    if (db_run_number(db, query, before_ms, &err) != LB_OK) {
        lb_log_limited(LB_LOG_WARN, "answers_expire", "text=\"%s\"", err.text);
    }
}

static bool answers_chore(void *ctx, struct db *db)
{
    const struct event_store *store = ctx;
    int64_t now_ms = lb_clock_wall_ms();

    expire(db, SQL_EVENT_EXPIRE_ANSWERS, now_ms - ANSWER_KEPT_MS);
    expire(db, SQL_ERASE_EXPIRE_IDS, now_ms - store->dedupe_window_ms);
    return utm_cap_store_expire(store->cap, db,
                                now_ms / LB_MS_PER_DAY - UTM_CAP_KEPT_DAYS);
}

enum lb_err event_store_new(const struct event_store_parts *parts,
                            const struct event_store_limits *limits,
                            struct event_store **store_out,
                            struct lb_error *err)
{
    struct writer *writer = parts->writer;
    struct event_store *store = calloc(1, sizeof(*store));
    struct writer_member member = {store, NULL, NULL, committed, rolled_back};
    enum lb_err rc = LB_OK;

    *store_out = NULL;
    if (store == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    store->cursor = parts->cursor;
    store->dict = parts->dict;
    store->visitors = parts->visitors;
    store->dedupe_window_ms = limits->dedupe_window_ms;
    store->dedupe = dedupe_new(limits->dedupe_ids, limits->dedupe_window_ms);
    store->decide = decide_new(limits->double_tap_window_ms);
    store->burst = burst_new();
    atomic_init(&store->burst_per_minute, limits->burst_per_minute);
    store->ids = lb_metrics_get(LB_METRIC_GAUGE, "linkbell_dedupe_ids",
                                "Event ids remembered.", "");
    store->evicted =
        lb_metrics_get(LB_METRIC_COUNTER, "linkbell_dedupe_evicted_total",
                       "Event ids forgotten because the window was full.", "");
    if (store->dedupe == NULL || store->decide == NULL ||
        store->burst == NULL) {
        rc = lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    rc = rc == LB_OK
             ? own_key_get(writer_db(writer), "id_key", store->id_key, err)
             : rc;
    if (rc == LB_OK) {
        store->cap = utm_cap_store_new(limits->utm_values, store->id_key);
        rc = store->cap == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory")
                                : LB_OK;
    }
    rc = rc == LB_OK ? load_ids(store, writer_db(writer), limits, err) : rc;
    rc = rc == LB_OK ? load_memory(store, writer_db(writer), err) : rc;
    if (rc != LB_OK) {
        event_store_free(store);
        return rc;
    }
    committed(store);
    writer_add_member(writer, &member);
    writer_add_chore(writer, answers_chore, store, LB_MS_PER_MIN);
    *store_out = store;
    return LB_OK;
}

void event_store_free(struct event_store *store)
{
    if (store != NULL) {
        dedupe_free(store->dedupe);
        decide_free(store->decide);
        burst_free(store->burst);
        utm_cap_store_free(store->cap);
        free(store);
    }
}

static void
forget_visitor(void *ctx, int64_t site, int64_t day, int64_t visitor)
{
    struct event_store *store = ctx;

    decide_forget(store->decide, site, day, visitor);
    burst_forget(store->burst, site, day, visitor);
    visitor_forget(store->visitors, site, day, visitor);
}

static void forget_site(void *ctx, int64_t site)
{
    struct event_store *store = ctx;

    forget_visitor(ctx, site, 0, 0);
    utm_cap_store_forget(store->cap);
}

void event_store_hook(struct event_store *store, struct erase_hooks *hooks)
{
    hooks->events = store;
    hooks->id_key = store->id_key;
    hooks->forget_visitor = forget_visitor;
    hooks->forget_site = forget_site;
    hooks->hash_given = visitor_hash_salted;
}

void event_store_set_burst(struct event_store *store, int64_t per_minute)
{
    atomic_store(&store->burst_per_minute, per_minute);
}

const uint8_t *event_store_id_key(const struct event_store *store)
{
    return store->id_key;
}

/* --- append -----------------------------------------------------------------
 */

static void inherit(struct event_store *store,
                    struct entry *entry,
                    const struct decide_attribution *from)
{
    static const enum entry_text dict_texts[5] = {
        ENTRY_TEXT_SOURCE, ENTRY_TEXT_CHANNEL, ENTRY_TEXT_UTM_SOURCE,
        ENTRY_TEXT_UTM_MEDIUM, ENTRY_TEXT_UTM_CAMPAIGN};
    static const enum entry_dict dicts[5] = {
        ENTRY_DICT_SOURCE, ENTRY_DICT_CHANNEL, ENTRY_DICT_UTM_SOURCE,
        ENTRY_DICT_UTM_MEDIUM, ENTRY_DICT_UTM_CAMPAIGN};
    static const enum entry_text own_texts[4] = {
        ENTRY_TEXT_REFERRER, ENTRY_TEXT_UTM_TERM, ENTRY_TEXT_UTM_CONTENT,
        ENTRY_TEXT_CLICK_ID};

    for (int i = 0; i < 5; i++) {
        entry->dict[dicts[i]] = from->dict[i];
        entry->text[dict_texts[i]] = dict_text(store->dict, from->dict[i]);
    }
    for (int i = 0; i < 4; i++) {
        entry->text[own_texts[i]] = from->text[i];
    }
}

static const char *join(const struct entry *entry,
                        enum entry_text first,
                        int count,
                        char out[JOINED_BYTES])
{
    size_t used = 0;
    size_t content = 0;

    for (int i = 0; i < count; i++) {
        const char *text = entry->text[(int)first + i];
        size_t len = text == NULL ? 0 : strlen(text);

        len = len > 256 ? 256 : len;
        if (i > 0) {
            out[used++] = '\x1f';
        }
        memcpy(out + used, text == NULL ? "" : text, len);
        used += len;
        content += len;
    }
    out[used] = '\0';
    return content == 0 ? NULL : out;
}

static enum lb_err intern_all(struct event_store *store,
                              struct db *db,
                              struct entry *entry,
                              struct lb_error *err)
{
    static const struct {
        enum entry_dict dict;
        enum entry_text text;
    } plain[] = {{ENTRY_DICT_LINK, ENTRY_TEXT_LINK},
                 {ENTRY_DICT_SOURCE, ENTRY_TEXT_SOURCE},
                 {ENTRY_DICT_CHANNEL, ENTRY_TEXT_CHANNEL},
                 {ENTRY_DICT_UTM_SOURCE, ENTRY_TEXT_UTM_SOURCE},
                 {ENTRY_DICT_UTM_MEDIUM, ENTRY_TEXT_UTM_MEDIUM},
                 {ENTRY_DICT_UTM_CAMPAIGN, ENTRY_TEXT_UTM_CAMPAIGN},
                 {ENTRY_DICT_REASON, ENTRY_TEXT_REASON}};
    char joined[JOINED_BYTES];
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]) && rc == LB_OK;
         i++) {
        rc = dict_intern(store->dict, db, plain[i].dict,
                         entry->text[plain[i].text],
                         &entry->dict[plain[i].dict], err);
    }
    if (rc == LB_OK) {
        rc = dict_intern(store->dict, db, ENTRY_DICT_PLACE,
                         join(entry, ENTRY_TEXT_COUNTRY, 3, joined),
                         &entry->dict[ENTRY_DICT_PLACE], err);
    }
    if (rc == LB_OK) {
        rc = dict_intern(store->dict, db, ENTRY_DICT_DEVICE,
                         join(entry, ENTRY_TEXT_DEVICE, 5, joined),
                         &entry->dict[ENTRY_DICT_DEVICE], err);
    }
    return rc;
}

static void restore_own(struct event *event)
{
    static const enum entry_text texts[EVENT_OWN_TEXTS] = {
        ENTRY_TEXT_SOURCE,     ENTRY_TEXT_CHANNEL,      ENTRY_TEXT_UTM_SOURCE,
        ENTRY_TEXT_UTM_MEDIUM, ENTRY_TEXT_UTM_CAMPAIGN, ENTRY_TEXT_REFERRER,
        ENTRY_TEXT_UTM_TERM,   ENTRY_TEXT_UTM_CONTENT,  ENTRY_TEXT_CLICK_ID,
        ENTRY_TEXT_REASON};

    if (event->is_own_kept) {
        event->entry.traffic = event->own_traffic;
    } else {
        event->own_traffic = event->entry.traffic;
    }
    for (int i = 0; i < EVENT_OWN_TEXTS; i++) {
        if (event->is_own_kept) {
            event->entry.text[texts[i]] = event->own_texts[i];
        } else {
            event->own_texts[i] = event->entry.text[texts[i]];
        }
    }
    event->is_own_kept = true;
}

/* Values past the site's number for the day are told as one; so is a source
 * that is such a value. */
static enum lb_err cap_values(struct event_store *store,
                              struct db *db,
                              struct event *event,
                              struct lb_error *err)
{
    struct entry *entry = &event->entry;
    enum lb_err rc = LB_OK;
    int64_t day;

    if (event->own != DECIDE_OWN_CAMPAIGN) {
        return LB_OK;
    }
    day = lb_zone_local_day(event->site->zone, entry->ts_at_ms);
    for (int field = 0; field < UTM_KEY_COUNT && rc == LB_OK; field++) {
        const char **text = &entry->text[ENTRY_TEXT_UTM_SOURCE + field];
        const struct utm_cap_value value = {entry->site, day, field, *text};
        bool is_other = false;

        if (*text == NULL) {
            continue;
        }
        rc = utm_cap_store_take(store->cap, db, &value, &is_other, err);
        if (is_other && field == UTM_SOURCE &&
            strcmp(entry->text[ENTRY_TEXT_SOURCE], *text) == 0) {
            entry->text[ENTRY_TEXT_SOURCE] = UTM_CAP_OTHER;
        }
        *text = is_other ? UTM_CAP_OTHER : *text;
    }
    return rc;
}

/* A human event of a visitor in a burst is a machine's. */
static enum lb_err
take_burst(struct event_store *store, struct burst *burst, struct entry *entry)
{
    bool is_burst = false;
    enum lb_err rc;

    if (entry->visitor == 0) {
        return LB_OK;
    }
    rc = burst_take(burst, entry, atomic_load(&store->burst_per_minute),
                    &is_burst);
    if (is_burst && entry->traffic == ENTRY_HUMAN) {
        entry->traffic = ENTRY_BOT;
        entry->text[ENTRY_TEXT_REASON] = TRAFFIC_REASON_BURST;
    }
    return rc;
}

/* All that depends on earlier events; the visitor's number stands in the
 * entry. */
static enum lb_err decide_one(struct event_store *store,
                              struct db *db,
                              struct event *event,
                              struct import_store *import,
                              struct lb_error *err)
{
    struct decide *decide = import == NULL ? store->decide : import->decide;
    struct burst *burst = import == NULL ? store->burst : import->burst;
    const struct decide_attribution *from = NULL;
    enum lb_err rc = LB_OK;

    if (take_burst(store, burst, &event->entry) != LB_OK) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    rc = cap_values(store, db, event, err);
    rc = rc == LB_OK ? intern_all(store, db, &event->entry, err) : rc;
    if (rc != LB_OK) {
        return rc;
    }
    decide_event(decide, &event->entry, event->own, &from);
    if (from != NULL) {
        inherit(store, &event->entry, from);
    }
    return decide_remember(decide, &event->entry) == LB_OK
               ? LB_OK
               : lb_err_set(err, LB_ENOMEM, "out of memory");
}

static enum lb_err append_one(struct event_store *store,
                              struct db *db,
                              struct event *event,
                              struct import_store *import,
                              struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    restore_own(event);
    if (event->salt != NULL) {
        rc = visitor_number(store->visitors, db, event->salt,
                            event->visitor_hash, &event->entry.visitor, err);
    }
    rc = rc == LB_OK ? decide_one(store, db, event, import, err) : rc;
    rc =
        rc == LB_OK ? cursor_append(store->cursor, db, &event->entry, err) : rc;
    return rc == LB_OK ? log_insert_event(db, &event->entry, err) : rc;
}

/* An event that an import finds in the log.  If its visitor is still known, it
 * came from the same import, cut short: what depends on it is decided again, so
 * that what follows is decided as if nothing had happened. */
static enum lb_err recall_one(struct event_store *store,
                              struct db *db,
                              struct event *event,
                              struct import_store *import,
                              struct lb_error *err)
{
    if (event->salt == NULL) {
        return LB_OK;
    }
    event->entry.visitor =
        visitor_known_number(event->salt, event->visitor_hash);
    return event->entry.visitor == 0
               ? LB_OK
               : decide_one(store, db, event, import, err);
}

/* Whether an event is known already. */
static enum lb_err look_up(struct event_store *store,
                           struct db *db,
                           struct event *event,
                           struct import_store *import,
                           bool *is_known_out,
                           struct lb_error *err)
{
    enum id_set_found found =
        import == NULL ? ID_SET_NEW
                       : id_set_meet(&import->known, event->entry.id_hash);

    *is_known_out =
        found != ID_SET_NEW || dedupe_has(store->dedupe, event->entry.id_hash);
    return found == ID_SET_KNOWN ? recall_one(store, db, event, import, err)
                                 : LB_OK;
}

/* The tables of ids and visitors are larger than a processor's caches: what an
 * event needs of them is asked for while others are appended. */
static void expect(const struct event_store *store,
                   const struct event *event,
                   const struct import_store *import)
{
    if (import != NULL) {
        id_set_expect(&import->known, event->entry.id_hash);
    }
    dedupe_expect(store->dedupe, event->entry.id_hash);
    if (event->salt != NULL) {
        visitor_expect(event->salt, event->visitor_hash);
    }
}

enum lb_err event_store_append(struct event_store *store,
                               struct db *db,
                               const struct event_batch *batch,
                               struct lb_error *err)
{
    struct import_store *import = batch->import;
    int64_t now_ms = lb_clock_wall_ms();
    enum lb_err rc = LB_OK;

    store->import = import;
    for (size_t i = 0; i < batch->count && rc == LB_OK; i++) {
        struct event *event = batch->events[i];
        uint64_t hash = event->entry.id_hash;

        batch->is_duplicate[i] = false;
        if (event->engagement != NULL) {
            rc = engagement_store_append(store->cursor, store->decide, db,
                                         event, err);
            continue;
        }
        if (i + AHEAD < batch->count) {
            expect(store, batch->events[i + AHEAD], import);
        }
        rc = look_up(store, db, event, import, &batch->is_duplicate[i], err);
        if (rc != LB_OK || batch->is_duplicate[i]) {
            continue;
        }
        rc = append_one(store, db, event, import, err);
        if (rc == LB_OK &&
            (dedupe_add(store->dedupe, hash,
                        import == NULL ? event->entry.received_at_ms
                                       : now_ms) != LB_OK ||
             (import != NULL &&
              id_set_add(&import->known, hash, true) != LB_OK))) {
            rc = lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    return rc;
}

enum lb_err event_store_append_other(struct event_store *store,
                                     struct db *db,
                                     struct entry *entry,
                                     struct lb_error *err)
{
    return cursor_append(store->cursor, db, entry, err);
}

/* --- answers under a key -----------------------------------------------------
 */

enum lb_err event_store_find_answer(struct db *db,
                                    struct event_answer *answer,
                                    bool *same_out,
                                    char **text_out,
                                    struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_EVENT_GET_ANSWER);
    bool has_row = false;
    enum lb_err rc;

    *text_out = NULL;
    if (stmt != NULL) {
        db_bind_text(stmt, 1, answer->token);
        db_bind_text(stmt, 2, answer->route);
        db_bind_text(stmt, 3, answer->key);
        (void)sqlite3_bind_int64(stmt, 4, lb_clock_wall_ms() - ANSWER_KEPT_MS);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (!has_row) {
        return rc;
    }
    *same_out =
        sqlite3_column_bytes(stmt, 0) == 32 &&
        memcmp(sqlite3_column_blob(stmt, 0), answer->body_hash, 32) == 0;
    answer->status = sqlite3_column_int(stmt, 1);
    *text_out = strdup((const char *)sqlite3_column_text(stmt, 2));
    (void)sqlite3_reset(stmt);
    return *text_out == NULL ? LB_ENOMEM : LB_EEXIST;
}

enum lb_err event_store_keep_answer(struct db *db,
                                    const struct event_answer *answer,
                                    struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_EVENT_PUT_ANSWER);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, answer->token);
        db_bind_text(stmt, 2, answer->route);
        db_bind_text(stmt, 3, answer->key);
        (void)sqlite3_bind_blob(stmt, 4, answer->body_hash, 32, SQLITE_STATIC);
        (void)sqlite3_bind_int(stmt, 5, answer->status);
        db_bind_text(stmt, 6, answer->text);
        (void)sqlite3_bind_int64(stmt, 7, lb_clock_wall_ms());
    }
    return db_run(db, stmt, err);
}
