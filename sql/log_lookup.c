/* log_lookup.c - one event of the log after the other by log number. */
#include "sql/log_lookup.h"

#include <stdlib.h>

#include "base/arena.h"
#include "sql/dict.h"
#include "sql/log_store.h"
#include "sql/sealed.h"

#define EVENT_BYTES ((size_t)1024 * 1024)

struct log_lookup {
    struct dict_cache *cache; /* owned */
    struct lb_arena *arena;   /* owned; an event that is not sealed */
    struct sealed *sealed;    /* owned; of one segment; NULL: none is open */
    int64_t number;           /* the segment's */
    int64_t site;             /* of which it was unpacked; 0: of all */
};

struct log_lookup *log_lookup_new(void)
{
    struct log_lookup *lookup = calloc(1, sizeof(*lookup));

    if (lookup == NULL) {
        return NULL;
    }
    lookup->cache = dict_cache_new();
    lookup->arena = lb_arena_new(EVENT_BYTES);
    if (lookup->cache == NULL || lookup->arena == NULL) {
        log_lookup_free(lookup);
        return NULL;
    }
    return lookup;
}

void log_lookup_free(struct log_lookup *lookup)
{
    if (lookup != NULL) {
        sealed_close(lookup->sealed);
        dict_cache_free(lookup->cache);
        lb_arena_free(lookup->arena);
        free(lookup);
    }
}

static enum lb_err read_row(struct log_lookup *lookup,
                            struct db *db,
                            int64_t seq,
                            const struct entry **entry_out,
                            struct lb_error *err)
{
    struct log_range range = {.after_seq = seq - 1,
                              .upto_seq = seq,
                              .from_at_ms = INT64_MIN,
                              .to_at_ms = INT64_MAX,
                              .has_texts = true};
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    enum lb_err rc = log_reader_open(db, lookup->cache, &range, &reader, err);

    rc = rc == LB_OK ? log_reader_next(reader, &entry, err) : rc;
    if (rc == LB_OK && entry != NULL) {
        lb_arena_clear(lookup->arena);
        *entry_out = log_copy_entry(lookup->arena, entry);
        rc = *entry_out == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory")
                                : LB_OK;
    }
    log_reader_close(reader);
    return rc;
}

/* Opens the segment that holds seq, unless it is open. */
static enum lb_err open_segment(struct log_lookup *lookup,
                                struct db *db,
                                int64_t seq,
                                int64_t site,
                                struct lb_error *err)
{
    struct segment_wish wish = {seq - 1, seq, INT64_MIN, INT64_MAX,
                                NULL,    0,   NULL};
    struct segment_info *infos = NULL;
    size_t count = 0;
    int64_t number = 0;
    enum lb_err rc = segment_store_find(db, &wish, &infos, &count, err);

    if (rc == LB_OK && count > 0) {
        number = infos[0].number;
        wish.after_seq = infos[0].after_seq;
        wish.upto_seq = infos[0].upto_seq;
    }
    free(infos);
    if (rc != LB_OK || (number == lookup->number && site == lookup->site)) {
        return rc;
    }
    sealed_close(lookup->sealed);
    lookup->sealed = NULL;
    lookup->number = 0;
    if (number == 0) {
        return LB_OK;
    }
    lookup->site = site;
    wish.sites = site == 0 ? NULL : &lookup->site;
    wish.site_count = site == 0 ? 0 : 1;
    rc =
        sealed_open(db, lookup->cache, &wish, SEALED_ALL, &lookup->sealed, err);
    lookup->number = rc == LB_OK ? number : 0;
    return rc;
}

/* Takes over what changed in the event, be it before it was unpacked or after;
 * *entry becomes NULL when it is gone. */
static enum lb_err take_change(struct log_lookup *lookup,
                               struct db *db,
                               struct entry **entry,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_SEGMENT_CHANGES);
    bool is_gone = false;
    bool has_row = false;
    int64_t bits = 0;
    int64_t reason = 0;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (*entry)->seq - 1);
        (void)sqlite3_bind_int64(stmt, 2, (*entry)->seq);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (!has_row) {
        return rc;
    }
    is_gone = sqlite3_column_type(stmt, 1) == SQLITE_NULL;
    bits = sqlite3_column_int64(stmt, 1);
    reason = sqlite3_column_int64(stmt, 2);
    (void)sqlite3_reset(stmt);
    if (is_gone) {
        *entry = NULL;
        return rc;
    }
    entry_set_bits(*entry, bits);
    (*entry)->dict[ENTRY_DICT_REASON] = reason;
    (*entry)->text[ENTRY_TEXT_REASON] =
        dict_cache_text(lookup->cache, db, reason);
    return rc;
}

static enum lb_err find_sealed(struct log_lookup *lookup,
                               struct db *db,
                               int64_t seq,
                               int64_t site,
                               struct entry **entry_out,
                               struct lb_error *err)
{
    struct horizon *horizon = NULL;
    enum lb_err rc = open_segment(lookup, db, seq, site, err);

    if (rc == LB_OK && lookup->sealed != NULL) {
        rc = sealed_find(lookup->sealed, seq, entry_out, err);
    }
    if (rc == LB_OK && *entry_out != NULL) {
        rc = take_change(lookup, db, entry_out, err);
    }
    rc = rc == LB_OK ? horizon_load(db, &horizon, err) : rc;
    if (*entry_out != NULL &&
        (*entry_out)->ts_at_ms < horizon_of(horizon, (*entry_out)->site)) {
        *entry_out = NULL; /* it has aged out */
    }
    horizon_free(horizon);
    return rc;
}

enum lb_err log_lookup_event(struct log_lookup *lookup,
                             struct db *db,
                             int64_t seq,
                             int64_t site,
                             const struct entry **entry_out,
                             struct lb_error *err)
{
    struct entry *entry = NULL;
    int64_t sealed_to = 0;
    enum lb_err rc = log_sealed_to(db, &sealed_to, err);

    *entry_out = NULL;
    if (rc != LB_OK || seq > sealed_to) {
        return rc != LB_OK ? rc : read_row(lookup, db, seq, entry_out, err);
    }
    rc = find_sealed(lookup, db, seq, site, &entry, err);
    *entry_out = rc == LB_OK ? entry : NULL;
    return rc;
}
