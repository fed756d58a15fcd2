/* event_store.c - appending events on the writer thread. */
#include "ingest/event_store.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "ingest/answer_store.h"
#include "ingest/burst.h"
#include "ingest/dedupe.h"
#include "ingest/engagement_store.h"
#include "ingest/import_store.h"
#include "ingest/utm_cap_store.h"
#include "sql/log_ids.h"
#include "sql/log_store.h"
#include "sql/own_key.h"

#define JOINED_BYTES 1100
#define MEMORY_STEP 4096 /* events remembered at a time at start */
#define FEW 16           /* events that are appended in steps */

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

struct loading {
    struct event_store *store;
    int64_t since_ms; /* what was received from then on is recent */
};

static enum lb_err load_id(void *ctx, const struct log_id *id)
{
    struct event_store *store = ((struct loading *)ctx)->store;

    if (id->seq < store->recent_seq &&
        id->received_at_ms >= ((struct loading *)ctx)->since_ms) {
        store->recent_seq = id->seq;
    }
    return dedupe_has(store->dedupe, id->hash)
               ? LB_OK
               : dedupe_add(store->dedupe, id->hash, id->received_at_ms);
}

static enum lb_err load_ids(struct event_store *store,
                            struct db *db,
                            const struct event_store_limits *limits,
                            struct lb_error *err)
{
    struct loading loading = {store, lb_clock_wall_ms() - DECIDE_WINDOW_MS};
    struct log_ids_range range = {store->id_key, 0, INT64_MAX};
    enum lb_err rc = db_meta_get(db, "next_seq", 1, &range.after_seq, err);

    range.after_seq -= (int64_t)limits->dedupe_ids + 1;
    store->recent_seq = INT64_MAX;
    return rc == LB_OK ? log_ids_each(db, &range, load_id, &loading, err) : rc;
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

static bool expire_chore(void *ctx, struct db *db)
{
    const struct event_store *store = ctx;
    int64_t now_ms = lb_clock_wall_ms();
    struct lb_error err;
    enum lb_err rc = answer_store_expire(db, &err);

    if (rc == LB_OK) {
        rc = db_run_number(db, SQL_ERASE_EXPIRE_IDS,
                           now_ms - store->dedupe_window_ms, &err);
    }
    if (rc != LB_OK) {
        lb_log_limited(LB_LOG_WARN, "answers_expire", "text=\"%s\"", err.text);
    }
    return utm_cap_store_expire(store->cap, db,
                                now_ms / LB_MS_PER_DAY - UTM_CAP_KEPT_DAYS);
}

struct event_store_limits event_store_limits_of(const struct lb_config *config)
{
    return (struct event_store_limits){
        (size_t)config->dedupe_ids, config->dedupe_window_ms,
        config->double_tap_window_ms, config->utm_values,
        config->burst_per_minute};
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
    writer_add_chore(writer, "ids", expire_chore, store, LB_MS_PER_MIN);
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

/* One call of event_store_append(). */
struct append {
    struct event_store *store;
    struct db *db;
    struct import_store *import; /* NULL: live events */
    struct lb_error *err;
};

/* All that depends on earlier events; the visitor's number stands in the
 * entry. */
static enum lb_err decide_one(const struct append *append, struct event *event)
{
    struct event_store *store = append->store;
    struct import_store *import = append->import;
    struct decide *decide = import == NULL ? store->decide : import->decide;
    struct burst *burst = import == NULL ? store->burst : import->burst;
    const struct decide_attribution *from = NULL;
    enum lb_err rc = LB_OK;

    if (!event->is_burst_free &&
        take_burst(store, burst, &event->entry) != LB_OK) {
        return lb_err_set(append->err, LB_ENOMEM, "out of memory");
    }
    rc = cap_values(store, append->db, event, append->err);
    rc = rc == LB_OK ? intern_all(store, append->db, &event->entry, append->err)
                     : rc;
    if (rc != LB_OK) {
        return rc;
    }
    decide_event(decide, &event->entry, event->own, &from);
    if (from != NULL) {
        inherit(store, &event->entry, from);
    }
    return decide_remember(decide, &event->entry) == LB_OK
               ? LB_OK
               : lb_err_set(append->err, LB_ENOMEM, "out of memory");
}

/* What is known of an event before it is appended. */
enum known {
    KNOWN_NOT,
    KNOWN_LOG, /* an import finds it in the log for the first time */
    KNOWN_TWICE
};

static enum known look_up(const struct append *append, uint64_t hash)
{
    switch (append->import == NULL
                ? ID_SET_NEW
                : id_set_meet(&append->import->ids->known, hash)) {
    case ID_SET_NEW:
        break;
    case ID_SET_KNOWN:
        return KNOWN_LOG;
    case ID_SET_MET:
        return KNOWN_TWICE;
    }
    return dedupe_has(append->store->dedupe, hash) ? KNOWN_TWICE : KNOWN_NOT;
}

/* An old event of an import stays out of the window of live ones, which it
 * would push out: nobody sends it any more. */
static enum lb_err note_id(const struct append *append,
                           const struct event *event)
{
    const struct event_store *store = append->store;
    uint64_t hash = event->entry.id_hash;
    int64_t received_ms = event->entry.received_at_ms;
    enum lb_err rc = LB_OK;

    if (append->import != NULL) {
        int64_t now_ms = lb_clock_wall_ms();

        rc = id_set_add(&append->import->ids->known, hash, true);
        if (rc != LB_OK || received_ms < now_ms - store->dedupe_window_ms) {
            return rc;
        }
        received_ms = now_ms;
    }
    return dedupe_add(store->dedupe, hash, received_ms);
}

/* Who sent it: under a number that it gets, or, if it is in the log, had.  If
 * that is still known, the event came from the same import, cut short: what
 * depends on it is decided again, so that what follows is decided as if nothing
 * had happened. */
static enum lb_err
number_one(const struct append *append, struct event *event, enum known known)
{
    restore_own(event);
    if (event->salt == NULL) {
        return LB_OK;
    }
    if (known == KNOWN_NOT) {
        return visitor_number(append->store->visitors, append->db, event->salt,
                              event->visitor_hash, &event->entry.visitor,
                              append->err);
    }
    event->entry.visitor =
        visitor_known_number(event->salt, event->visitor_hash);
    return LB_OK;
}

static enum lb_err
append_one(const struct append *append, struct event *event, enum known known)
{
    struct event_store *store = append->store;
    enum lb_err rc = LB_OK;

    if (event->engagement != NULL) {
        return engagement_store_append(store->cursor, store->decide, append->db,
                                       event, append->err);
    }
    if (known == KNOWN_NOT || event->entry.visitor != 0) {
        rc = decide_one(append, event);
    }
    if (rc != LB_OK || known != KNOWN_NOT) {
        return rc;
    }
    return cursor_append(store->cursor, append->db, &event->entry, append->err);
}

/* The tables of ids and visitors are larger than a processor's caches: what a
 * step needs of them is asked for in the one before. */
static void expect_keys(const struct append *append, const struct event *event)
{
    uint64_t hash = event->entry.id_hash;

    dedupe_expect(append->store->dedupe, hash);
    if (append->import != NULL) {
        id_set_expect(&append->import->ids->known, hash);
    }
    if (event->salt != NULL) {
        visitor_expect(event->salt, event->visitor_hash);
    }
}

static void expect_memory(const struct append *append,
                          const struct entry *entry)
{
    bool is_live = append->import == NULL;

    decide_expect(is_live ? append->store->decide : append->import->decide,
                  entry);
    burst_expect(is_live ? append->store->burst : append->import->burst, entry);
}

/* Looks an event up, notes its id and gives it its visitor's number. */
static enum lb_err
meet_one(const struct append *append, struct event *event, enum known *out)
{
    enum lb_err rc = LB_OK;

    *out = KNOWN_NOT;
    if (event->engagement != NULL) {
        return LB_OK;
    }
    *out = look_up(append, event->entry.id_hash);
    if (*out == KNOWN_NOT && note_id(append, event) != LB_OK) {
        return lb_err_set(append->err, LB_ENOMEM, "out of memory");
    }
    if (*out != KNOWN_TWICE) {
        rc = number_one(append, event, *out);
        expect_memory(append, &event->entry);
    }
    return rc;
}

/* A few events at a time, in steps. */
static enum lb_err append_few(const struct append *append,
                              struct event **events,
                              size_t count,
                              bool *is_duplicate)
{
    const struct import_store *import = append->import;
    const struct decide *decide =
        import == NULL ? append->store->decide : import->decide;
    enum known known[FEW];
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < count; i++) {
        expect_keys(append, events[i]);
    }
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        rc = meet_one(append, events[i], &known[i]);
        is_duplicate[i] = known[i] != KNOWN_NOT;
    }
    for (size_t i = 0; i < count; i++) {
        decide_expect_pair(decide, &events[i]->entry);
    }
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        if (known[i] != KNOWN_TWICE) {
            rc = append_one(append, events[i], known[i]);
        }
    }
    return rc;
}

enum lb_err event_store_append(struct event_store *store,
                               struct db *db,
                               const struct event_batch *batch,
                               struct lb_error *err)
{
    const struct append append = {store, db, batch->import, err};
    enum lb_err rc = LB_OK;

    store->import = batch->import;
    for (size_t i = 0; i < batch->count && rc == LB_OK; i += FEW) {
        size_t left = batch->count - i;

        for (size_t j = FEW; j < (size_t)2 * FEW && j < left; j++) {
            event_expect(batch->events[i + j]);
        }
        rc = append_few(&append, batch->events + i, left < FEW ? left : FEW,
                        batch->is_duplicate + i);
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
