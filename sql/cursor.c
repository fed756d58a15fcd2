/* cursor.c - the stage that reads on from the cursor. */
#include "sql/cursor.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "sql/log_store.h"

#define CONSUMER_MAX 8
#define PIECE_ENTRIES 10000 /* read at once when catching up */
#define PIECE_BYTES ((size_t)64 * 1024 * 1024)

struct cursor {
    struct cursor_consumer consumers[CONSUMER_MAX];
    size_t consumer_count;
    struct dict_cache *cache; /* owned; for catching up */
    struct lb_metric *lag;
    /* The writer thread's. */
    int64_t next_seq;
    int64_t committed_next_seq;
    int64_t place; /* last derived log number */
    int64_t committed_place;
    const struct entry *
        *fresh; /* owned array; this group's entries, borrowed */
    size_t fresh_count;
    size_t fresh_cap;
    int64_t underived_since_ms;
    /* For other threads. */
    atomic_llong shown_place;
    atomic_llong shown_since_ms; /* 0: nothing waits */
};

static enum lb_err begin(void *ctx, struct db *db, struct lb_error *err)
{
    struct cursor *cursor = ctx;

    (void)db;
    (void)err;
    cursor->fresh_count = 0;
    cursor->next_seq = cursor->committed_next_seq;
    cursor->place = cursor->committed_place;
    return LB_OK;
}

static enum lb_err finish(void *ctx, struct db *db, struct lb_error *err)
{
    struct cursor *cursor = ctx;
    enum lb_err rc;

    if (cursor->fresh_count == 0) {
        return LB_OK;
    }
    rc = db_meta_set(db, "next_seq", cursor->next_seq, err);
    return rc == LB_OK
               ? log_insert_events(db, cursor->fresh, cursor->fresh_count, err)
               : rc;
}

static void show(struct cursor *cursor)
{
    bool is_behind = cursor->committed_place + 1 < cursor->committed_next_seq;
    int64_t now_ms = lb_clock_wall_ms();

    if (!is_behind) {
        cursor->underived_since_ms = 0;
    } else if (cursor->underived_since_ms == 0) {
        cursor->underived_since_ms = now_ms;
    }
    atomic_store(&cursor->shown_place, cursor->committed_place);
    atomic_store(&cursor->shown_since_ms, cursor->underived_since_ms);
    lb_metrics_set_milli(cursor->lag,
                         is_behind ? now_ms - cursor->underived_since_ms : 0);
}

static void committed(void *ctx)
{
    struct cursor *cursor = ctx;

    cursor->committed_next_seq = cursor->next_seq;
    cursor->fresh_count = 0;
    show(cursor);
}

static void rolled_back(void *ctx)
{
    struct cursor *cursor = ctx;

    cursor->next_seq = cursor->committed_next_seq;
    cursor->place = cursor->committed_place;
    cursor->fresh_count = 0;
    dict_cache_clear(cursor->cache); /* its numbers may be given out anew */
}

static enum lb_err hand_over(struct cursor *cursor,
                             struct db *db,
                             const struct entry *const *entries,
                             size_t count,
                             struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < cursor->consumer_count && rc == LB_OK; i++) {
        rc = cursor->consumers[i].apply(cursor->consumers[i].ctx, db, entries,
                                        count, err);
    }
    if (rc == LB_OK) {
        cursor->place = entries[count - 1]->seq;
        rc = db_meta_set(db, "cursor", cursor->place, err);
    }
    return rc;
}

/* Reads on from the cursor's place in the log, a piece at most. */
static enum lb_err
catch_up(struct cursor *cursor, struct db *db, struct lb_error *err)
{
    struct log_range range = {.after_seq = cursor->place,
                              .upto_seq = INT64_MAX,
                              .from_at_ms = INT64_MIN,
                              .to_at_ms = INT64_MAX,
                              .has_other_kinds = true,
                              .has_texts = true};
    struct lb_arena *arena = lb_arena_new(PIECE_BYTES);
    const struct entry **entries =
        calloc(PIECE_ENTRIES, sizeof(struct entry *));
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    size_t count = 0;
    enum lb_err rc;

    if (arena == NULL || entries == NULL) {
        rc = lb_err_set(err, LB_ENOMEM, "out of memory");
        goto out;
    }
    rc = log_reader_open(db, cursor->cache, &range, &reader, err);
    while (rc == LB_OK && count < PIECE_ENTRIES) {
        rc = log_reader_next(reader, &entry, err);
        if (rc != LB_OK || entry == NULL) {
            break;
        }
        entries[count] = log_copy_entry(arena, entry);
        if (entries[count] == NULL) {
            break; /* the arena is full: the rest comes with the next piece */
        }
        count++;
    }
    log_reader_close(reader);
    if (rc == LB_OK && count > 0) {
        rc = hand_over(cursor, db, entries, count, err);
    } else if (rc == LB_OK) {
        cursor->place = cursor->next_seq - 1; /* what stood there was erased */
        rc = db_meta_set(db, "cursor", cursor->place, err);
    }
out:
    free(entries);
    lb_arena_free(arena);
    return rc;
}

static enum lb_err derive(void *ctx, struct db *db, struct lb_error *err)
{
    struct cursor *cursor = ctx;
    bool is_next =
        cursor->fresh_count > 0 && cursor->fresh[0]->seq == cursor->place + 1;

    if (is_next) {
        return hand_over(cursor, db, cursor->fresh, cursor->fresh_count, err);
    }
    return cursor->place + 1 < cursor->next_seq ? catch_up(cursor, db, err)
                                                : LB_OK;
}

static void derive_undone(void *ctx)
{
    struct cursor *cursor = ctx;

    cursor->place = cursor->committed_place;
    for (size_t i = 0; i < cursor->consumer_count; i++) {
        if (cursor->consumers[i].rolled_back != NULL) {
            cursor->consumers[i].rolled_back(cursor->consumers[i].ctx);
        }
    }
}

static void derive_committed(void *ctx)
{
    struct cursor *cursor = ctx;

    cursor->committed_place = cursor->place;
    for (size_t i = 0; i < cursor->consumer_count; i++) {
        if (cursor->consumers[i].committed != NULL) {
            cursor->consumers[i].committed(cursor->consumers[i].ctx);
        }
    }
    show(cursor);
}

static bool is_behind(void *ctx)
{
    struct cursor *cursor = ctx;

    return cursor->committed_place + 1 < cursor->committed_next_seq;
}

enum lb_err cursor_new(struct writer *writer,
                       struct cursor **cursor_out,
                       struct lb_error *err)
{
    struct cursor *cursor = calloc(1, sizeof(*cursor));
    struct writer_member member = {cursor, begin, finish, committed,
                                   rolled_back};
    struct writer_derive stage = {cursor, derive, derive_undone,
                                  derive_committed, is_behind};
    enum lb_err rc;

    *cursor_out = NULL;
    if (cursor == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    cursor->cache = dict_cache_new();
    cursor->lag = lb_metrics_get(LB_METRIC_GAUGE, "linkbell_rollup_lag_seconds",
                                 "How far the rollups are behind the log.", "");
    rc = cursor->cache == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory")
                               : db_meta_get(writer_db(writer), "next_seq", 1,
                                             &cursor->committed_next_seq, err);
    rc = rc == LB_OK ? db_meta_get(writer_db(writer), "cursor", 0,
                                   &cursor->committed_place, err)
                     : rc;
    if (rc != LB_OK) {
        cursor_free(cursor);
        return rc;
    }
    rolled_back(cursor);
    show(cursor);
    writer_add_member(writer, &member);
    writer_set_derive(writer, &stage);
    *cursor_out = cursor;
    return LB_OK;
}

void cursor_free(struct cursor *cursor)
{
    if (cursor == NULL) {
        return;
    }
    dict_cache_free(cursor->cache);
    free(cursor->fresh);
    free(cursor);
}

void cursor_add_consumer(struct cursor *cursor,
                         const struct cursor_consumer *consumer)
{
    assert(cursor->consumer_count < CONSUMER_MAX);
    cursor->consumers[cursor->consumer_count++] = *consumer;
}

static enum lb_err
insert_other(struct db *db, const struct entry *entry, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_LOG_INSERT_OTHER);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, entry->seq);
        (void)sqlite3_bind_int64(stmt, 2, (int)entry->kind);
        (void)sqlite3_bind_int64(stmt, 3, entry->received_at_ms);
        db_bind_text(stmt, 4, entry->data);
    }
    return db_run(db, stmt, err);
}

enum lb_err cursor_append(struct cursor *cursor,
                          struct db *db,
                          struct entry *entry,
                          struct lb_error *err)
{
    if (cursor->fresh_count == cursor->fresh_cap) {
        size_t cap = cursor->fresh_cap == 0 ? 1024 : cursor->fresh_cap * 2;
        const struct entry **fresh =
            realloc(cursor->fresh, cap * sizeof(struct entry *));

        if (fresh == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        cursor->fresh = fresh;
        cursor->fresh_cap = cap;
    }
    entry->seq = cursor->next_seq++;
    cursor->fresh[cursor->fresh_count++] = entry;
    return entry->kind == ENTRY_EVENT ? LB_OK : insert_other(db, entry, err);
}

int64_t cursor_seq(struct cursor *cursor)
{
    return atomic_load(&cursor->shown_place);
}

int64_t cursor_as_of_ms(struct cursor *cursor)
{
    int64_t since_ms = atomic_load(&cursor->shown_since_ms);

    return since_ms == 0 ? lb_clock_wall_ms() : since_ms;
}
