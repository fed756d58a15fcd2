/* segment_store.c - segments in the database. */
#include "sql/segment_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "sql/segment_cache.h"

#define COLUMNS_A_SEGMENT 64
#define SWEEP_COLUMNS 4 /* of one step: some 100 pages of a usual segment */
#define ARENA_BYTES ((size_t)512 * 1024 * 1024)

enum state { STATE_PENDING = 0, STATE_LIVE = 1, STATE_DEAD = 2 };

struct segment {
    struct db *db;
    struct segment_packer *packer; /* borrowed */
    struct segment_info info;
    struct lb_arena *arena; /* owned */
    struct segment_directory directory;
    struct segment_change *changes; /* in the arena */
    size_t change_count;
    bool is_loaded[SEGMENT_COLUMN_COUNT];
    struct segment_column columns[SEGMENT_COLUMN_COUNT];
    /* Of one whose coded columns are shared; else NULL. */
    struct segment_cache *cache;                         /* borrowed */
    struct segment_cached *shared[SEGMENT_COLUMN_COUNT]; /* taken */
    struct lb_arena *own[SEGMENT_COLUMN_COUNT]; /* owned; of those that the
                                                   cache has no room for */
    int64_t *beside; /* in the arena; room for a block; NULL: not needed yet */
};

int64_t segment_store_from_ms(const struct segment_wish *wish, int64_t site)
{
    int64_t horizon_ms = horizon_of(wish->horizon, site);

    return horizon_ms > wish->from_at_ms ? horizon_ms : wish->from_at_ms;
}

bool segment_store_is_wished(const struct segment_wish *wish,
                             const struct segment_site *site)
{
    bool is_among = wish->sites == NULL;

    for (size_t i = 0; i < wish->site_count && !is_among; i++) {
        is_among = wish->sites[i] == site->site;
    }
    return is_among &&
           site->last_at_ms >= segment_store_from_ms(wish, site->site) &&
           site->first_at_ms < wish->to_at_ms;
}

static void read_info(sqlite3_stmt *stmt, struct segment_info *info)
{
    info->number = sqlite3_column_int64(stmt, 0);
    info->after_seq = sqlite3_column_int64(stmt, 1);
    info->upto_seq = sqlite3_column_int64(stmt, 2);
    info->row_count = (size_t)sqlite3_column_int64(stmt, 3);
    info->first_at_ms = sqlite3_column_int64(stmt, 4);
    info->last_at_ms = sqlite3_column_int64(stmt, 5);
}

/* Room for one more; false: out of memory. */
static bool grow_infos(struct segment_info **infos, size_t count, size_t *cap)
{
    struct segment_info *more;

    if (count < *cap) {
        return true;
    }
    *cap = *cap == 0 ? 64 : *cap * 2;
    more = realloc(*infos, *cap * sizeof(**infos));
    *infos = more == NULL ? *infos : more;
    return more != NULL;
}

enum lb_err segment_store_find(struct db *db,
                               const struct segment_wish *wish,
                               struct segment_info **infos_out,
                               size_t *count_out,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_SEGMENT_FIND);
    size_t cap = 0;
    size_t count = 0;
    bool has_row = false;
    enum lb_err rc;

    *infos_out = NULL;
    *count_out = 0;
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, wish->after_seq);
        (void)sqlite3_bind_int64(stmt, 2, wish->upto_seq);
        (void)sqlite3_bind_int64(stmt, 3, wish->from_at_ms);
        (void)sqlite3_bind_int64(stmt, 4, wish->to_at_ms);
        (void)sqlite3_bind_int64(
            stmt, 5, segment_site_set(wish->sites, wish->site_count));
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        if (!grow_infos(infos_out, count, &cap)) {
            (void)sqlite3_reset(stmt);
            free(*infos_out);
            *infos_out = NULL;
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        read_info(stmt, &(*infos_out)[count++]);
    }
    *count_out = count;
    return rc;
}

/* --- reading one ---------------------------------------------------------- */

static enum lb_err fault(const struct segment *segment,
                         enum lb_err rc,
                         const char *what,
                         struct lb_error *err)
{
    if (rc == LB_ENOMEM) {
        return lb_err_set(err, rc, "out of memory");
    }
    return lb_err_set(err, rc,
                      "segment %lld of the log is damaged (%s); restore a "
                      "backup, or see linkbell doctor",
                      (long long)segment->info.number, what);
}

/* The one BLOB of the statement, copied into the arena. */
static enum lb_err read_blob(struct segment *segment,
                             struct lb_arena *arena,
                             sqlite3_stmt *stmt,
                             const char **bytes_out,
                             size_t *len_out,
                             struct lb_error *err)
{
    bool has_row = false;
    enum lb_err rc = db_next(segment->db, stmt, &has_row, err);
    const void *blob;
    char *bytes;

    if (rc != LB_OK || !has_row) {
        return rc != LB_OK ? rc : fault(segment, LB_EFORMAT, "missing", err);
    }
    blob = sqlite3_column_blob(stmt, 0);
    *len_out = (size_t)sqlite3_column_bytes(stmt, 0);
    bytes = lb_arena_alloc(arena, *len_out + 1);
    if (bytes == NULL || (blob == NULL && *len_out > 0)) {
        rc = fault(segment, LB_ENOMEM, "", err);
    } else if (*len_out > 0) {
        memcpy(bytes, blob, *len_out);
    }
    (void)sqlite3_reset(stmt);
    *bytes_out = bytes;
    return rc;
}

static enum lb_err read_directory(struct segment *segment, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(segment->db, SQL_SEGMENT_DIRECTORY);
    const char *bytes = NULL;
    size_t len = 0;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, segment->info.number);
    }
    rc = read_blob(segment, segment->arena, stmt, &bytes, &len, err);
    if (rc != LB_OK) {
        return rc;
    }
    rc =
        segment_read_directory(bytes, len, segment->arena, &segment->directory);
    if (rc == LB_OK &&
        segment->directory.row_count != segment->info.row_count) {
        rc = LB_EFORMAT;
    }
    return rc == LB_OK ? rc : fault(segment, rc, "its directory", err);
}

/* Room for one more; false: out of memory. */
static bool grow_changes(struct segment *segment, size_t *cap)
{
    struct segment_change *more;

    if (segment->change_count < *cap) {
        return true;
    }
    *cap = *cap == 0 ? 64 : *cap * 2;
    more = lb_arena_alloc(segment->arena, *cap * sizeof(*more));
    if (more == NULL) {
        return false;
    }
    if (segment->change_count > 0) {
        memcpy(more, segment->changes, segment->change_count * sizeof(*more));
    }
    segment->changes = more;
    return true;
}

static enum lb_err read_changes(struct segment *segment, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(segment->db, SQL_SEGMENT_CHANGES);
    size_t cap = 0;
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, segment->info.after_seq);
        (void)sqlite3_bind_int64(stmt, 2, segment->info.upto_seq);
    }
    while ((rc = db_next(segment->db, stmt, &has_row, err)) == LB_OK &&
           has_row) {
        if (!grow_changes(segment, &cap)) {
            (void)sqlite3_reset(stmt);
            return fault(segment, LB_ENOMEM, "", err);
        }
        segment->changes[segment->change_count++] = (struct segment_change){
            sqlite3_column_int64(stmt, 0),
            sqlite3_column_type(stmt, 1) == SQLITE_NULL,
            sqlite3_column_int64(stmt, 1), sqlite3_column_int64(stmt, 2)};
    }
    return rc;
}

enum lb_err segment_store_open(struct db *db,
                               const struct segment_info *info,
                               struct segment_packer *packer,
                               struct segment **segment_out,
                               struct lb_error *err)
{
    struct segment *segment = calloc(1, sizeof(*segment));
    enum lb_err rc;

    *segment_out = NULL;
    if (segment == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    segment->db = db;
    segment->packer = packer;
    segment->info = *info;
    segment->arena = lb_arena_new(ARENA_BYTES);
    rc = segment->arena == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory")
                                : read_directory(segment, err);
    rc = rc == LB_OK ? read_changes(segment, err) : rc;
    if (rc != LB_OK) {
        segment_store_close(segment);
        return rc;
    }
    *segment_out = segment;
    return LB_OK;
}

void segment_store_close(struct segment *segment)
{
    if (segment == NULL) {
        return;
    }
    for (int i = 0; i < SEGMENT_COLUMN_COUNT; i++) {
        if (segment->shared[i] != NULL) {
            segment_cache_release(segment->cache, segment->shared[i]);
        }
        lb_arena_free(segment->own[i]);
    }
    lb_arena_free(segment->arena);
    free(segment);
}

void segment_store_share(struct segment *segment)
{
    segment->cache = db_segments(segment->db);
}

const struct segment_info *segment_store_info(const struct segment *segment)
{
    return &segment->info;
}

const struct segment_directory *
segment_store_directory(const struct segment *segment)
{
    return &segment->directory;
}

const struct segment_change *
segment_store_changes(const struct segment *segment, size_t *count_out)
{
    *count_out = segment->change_count;
    return segment->changes;
}

void *segment_store_alloc(struct segment *segment, size_t bytes)
{
    return lb_arena_alloc(segment->arena, bytes);
}

static int64_t key_of(const struct segment *segment, int column)
{
    return segment->info.number * COLUMNS_A_SEGMENT + column;
}

/* What is unpacked goes into arena; the packed bytes stay with the segment. */
static enum lb_err read_column(struct segment *segment,
                               int column,
                               struct lb_arena *arena,
                               struct segment_column *column_out,
                               struct lb_error *err)
{
    struct segment_bytes stored = {NULL, 0};
    sqlite3_stmt *stmt = db_stmt(segment->db, SQL_SEGMENT_COLUMN);
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, key_of(segment, column));
    }
    rc = read_blob(segment, segment->arena, stmt, &stored.at, &stored.len, err);
    if (rc != LB_OK) {
        return rc;
    }
    rc = segment_read_column(segment->packer, column, &stored,
                             &segment->directory.layout, arena, column_out);
    return rc == LB_OK ? rc : fault(segment, rc, "a column", err);
}

/* From the cache, or into it. */
static enum lb_err
share_column(struct segment *segment, int column, struct lb_error *err)
{
    struct segment_cached *cached =
        segment_cache_take(segment->cache, key_of(segment, column));
    const char *bytes = NULL; /* only whoever puts it has them */
    struct lb_arena *arena;
    enum lb_err rc;

    if (cached == NULL) {
        arena = lb_arena_new_tight(ARENA_BYTES);
        rc = arena == NULL ? fault(segment, LB_ENOMEM, "", err)
                           : read_column(segment, column, arena,
                                         &segment->columns[column], err);
        if (rc != LB_OK) {
            lb_arena_free(arena);
            return rc;
        }
        bytes = segment->columns[column].bytes;
        cached = segment_cache_put(segment->cache, key_of(segment, column),
                                   arena, &segment->columns[column]);
        segment->own[column] = cached == NULL ? arena : NULL;
    }
    if (cached != NULL) {
        segment->columns[column] = *segment_cache_column(cached);
        segment->columns[column].bytes = bytes;
    }
    segment->shared[column] = cached;
    return LB_OK;
}

enum lb_err segment_store_column(struct segment *segment,
                                 int column,
                                 const struct segment_column **column_out,
                                 struct lb_error *err)
{
    bool is_shared = segment->cache != NULL && column >= SEGMENT_FIRST_CODED &&
                     column != SEGMENT_ID;
    enum lb_err rc;

    *column_out = &segment->columns[column];
    if (segment->is_loaded[column]) {
        return LB_OK;
    }
    rc = is_shared ? share_column(segment, column, err)
                   : read_column(segment, column, segment->arena,
                                 &segment->columns[column], err);
    segment->is_loaded[column] = rc == LB_OK;
    return rc;
}

enum lb_err segment_store_codes(struct segment *segment,
                                int column,
                                size_t block,
                                uint16_t *codes_out,
                                struct lb_error *err)
{
    const struct segment_layout *layout = &segment->directory.layout;
    size_t count = segment_layout_rows(layout, block);
    const struct segment_column *read;
    struct segment_cached *shared;
    enum lb_err rc = segment_store_column(segment, column, &read, err);

    shared = segment->shared[column];
    if (rc != LB_OK || (shared != NULL &&
                        segment_cache_read(shared, block, count, codes_out))) {
        return rc;
    }
    if (shared != NULL && read->bytes == NULL && read->width != 0) {
        rc = read_column(segment, column, segment->arena,
                         &segment->columns[column], err);
    }
    if (rc != LB_OK) {
        return rc;
    }
    rc = segment_read_codes(segment->packer, read, layout, block, codes_out);
    if (rc == LB_OK && shared != NULL) {
        segment_cache_put_codes(segment->cache, shared, block, codes_out,
                                count);
    }
    return rc == LB_OK ? rc : fault(segment, rc, "codes of a column", err);
}

enum lb_err segment_store_look(struct segment *segment,
                               int column,
                               size_t block,
                               uint16_t *room,
                               const uint16_t **codes_out,
                               struct lb_error *err)
{
    const struct segment_column *read;
    enum lb_err rc = segment_store_column(segment, column, &read, err);

    *codes_out = rc == LB_OK && segment->shared[column] != NULL
                     ? segment_cache_codes(segment->shared[column], block)
                     : NULL;
    if (rc == LB_OK && *codes_out == NULL) {
        *codes_out = room;
        rc = segment_store_codes(segment, column, block, room, err);
    }
    return rc;
}

static enum lb_err unpack_numbers(struct segment *segment,
                                  int column,
                                  size_t block,
                                  int64_t *numbers_out,
                                  struct lb_error *err)
{
    const struct segment_column *read;
    enum lb_err rc = segment_store_column(segment, column, &read, err);

    if (rc == LB_OK && column == SEGMENT_RECEIVED && segment->beside == NULL) {
        segment->beside = lb_arena_alloc(
            segment->arena, SEGMENT_PACK_BLOCK * sizeof(*segment->beside));
        rc = segment->beside == NULL ? fault(segment, LB_ENOMEM, "", err)
                                     : LB_OK;
    }
    if (rc == LB_OK && column == SEGMENT_RECEIVED) {
        rc = segment_store_numbers(segment, SEGMENT_TS, block, segment->beside,
                                   err);
    }
    if (rc != LB_OK) {
        return rc;
    }
    rc = segment_read_numbers(
        segment->packer, read, &segment->directory.layout, block,
        column == SEGMENT_RECEIVED ? segment->beside : NULL, numbers_out);
    return rc == LB_OK ? rc : fault(segment, rc, "numbers of a column", err);
}

/* The place of a column's numbers in the cache; NULL: there is no room. */
static struct segment_cached *share_numbers(struct segment *segment, int column)
{
    const struct segment_column nothing = {.bytes = NULL};
    int64_t key = key_of(segment, column);
    struct segment_cached *cached = segment->shared[column];
    struct lb_arena *arena;

    cached = cached == NULL ? segment_cache_take(segment->cache, key) : cached;
    if (cached == NULL && (arena = lb_arena_new_tight(1)) != NULL) {
        cached = segment_cache_put(segment->cache, key, arena, &nothing);
        if (cached == NULL) {
            lb_arena_free(arena);
        }
    }
    segment->shared[column] = cached;
    return cached;
}

enum lb_err segment_store_numbers(struct segment *segment,
                                  int column,
                                  size_t block,
                                  int64_t *numbers_out,
                                  struct lb_error *err)
{
    size_t count = segment_layout_rows(&segment->directory.layout, block);
    struct segment_cached *shared =
        segment->cache != NULL && column == SEGMENT_VISITOR
            ? share_numbers(segment, column)
            : NULL;
    enum lb_err rc = LB_OK;

    if (shared != NULL &&
        segment_cache_read_numbers(shared, block, count, numbers_out)) {
        return LB_OK;
    }
    rc = unpack_numbers(segment, column, block, numbers_out, err);
    if (rc == LB_OK && shared != NULL) {
        segment_cache_put_numbers(segment->cache, shared, block, numbers_out,
                                  count);
    }
    return rc;
}

enum lb_err segment_store_ids(struct segment *segment,
                              size_t block,
                              const char **ids_out,
                              struct lb_error *err)
{
    const struct segment_column *read;
    enum lb_err rc = segment_store_column(segment, SEGMENT_ID, &read, err);

    if (rc != LB_OK) {
        return rc;
    }
    rc = segment_read_ids(segment->packer, read, &segment->directory.layout,
                          block, segment->arena, ids_out);
    return rc == LB_OK ? rc : fault(segment, rc, "ids", err);
}

/* --- on the writer's connection ------------------------------------------- */

enum lb_err segment_store_put(struct db *db,
                              const struct segment_body *body,
                              int64_t after_seq,
                              int64_t upto_seq,
                              int64_t *number_out,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_SEGMENT_PUT);
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, after_seq);
        (void)sqlite3_bind_int64(stmt, 2, upto_seq);
        (void)sqlite3_bind_int64(stmt, 3, (int64_t)body->row_count);
        (void)sqlite3_bind_int64(stmt, 4, body->first_at_ms);
        (void)sqlite3_bind_int64(stmt, 5, body->last_at_ms);
        (void)sqlite3_bind_int64(stmt, 6, body->site_set);
        (void)sqlite3_bind_blob64(stmt, 7, body->directory.data,
                                  body->directory.len, SQLITE_STATIC);
    }
    rc = db_run(db, stmt, err);
    *number_out = sqlite3_last_insert_rowid(db_handle(db));
    return rc;
}

enum lb_err segment_store_put_column(struct db *db,
                                     int64_t number,
                                     int column,
                                     const struct lb_buf *body,
                                     struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_SEGMENT_PUT_COLUMN);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, number * COLUMNS_A_SEGMENT + column);
        (void)sqlite3_bind_blob64(stmt, 2, lb_buf_text(body), body->len,
                                  SQLITE_STATIC);
    }
    return db_run(db, stmt, err);
}

static enum lb_err run_range(struct db *db,
                             enum sql_query query,
                             int64_t first,
                             int64_t second,
                             struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, query);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, first);
        (void)sqlite3_bind_int64(stmt, 2, second);
    }
    return db_run(db, stmt, err);
}

enum lb_err segment_store_swap(struct db *db,
                               int64_t after_seq,
                               int64_t upto_seq,
                               int64_t number,
                               struct lb_error *err)
{
    enum lb_err rc = run_range(db, SQL_SEGMENT_KILL, after_seq, upto_seq, err);

    rc = rc == LB_OK
             ? run_range(db, SQL_SEGMENT_DROP_CHANGES, after_seq, upto_seq, err)
             : rc;
    return rc == LB_OK && number != 0
               ? run_range(db, SQL_SEGMENT_SET_STATE, number, STATE_LIVE, err)
               : rc;
}

enum lb_err segment_store_give_up(struct db *db, struct lb_error *err)
{
    return db_run(db, db_stmt(db, SQL_SEGMENT_KILL_PENDING), err);
}

enum lb_err
segment_store_sweep(struct db *db, bool *has_more_out, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_SEGMENT_ANY_DEAD);
    int64_t number;
    enum lb_err rc = db_next(db, stmt, has_more_out, err);

    if (rc != LB_OK || !*has_more_out) {
        return rc;
    }
    number = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_reset(stmt);
    rc = run_range(db, SQL_SEGMENT_DROP_COLUMNS, number, SWEEP_COLUMNS, err);
    if (rc == LB_OK && sqlite3_changes(db_handle(db)) == 0) {
        rc = db_run_number(db, SQL_SEGMENT_DROP, number, err);
    }
    return rc;
}

enum lb_err
segment_store_next_change(struct db *db, int64_t *seq_out, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_SEGMENT_NEXT_CHANGE);
    bool has_row = false;
    enum lb_err rc = db_next(db, stmt, &has_row, err);

    *seq_out = 0;
    if (has_row) {
        *seq_out = sqlite3_column_int64(stmt, 0);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err segment_store_find_small(struct db *db,
                                     int64_t events,
                                     int64_t *after_seq_out,
                                     int64_t *upto_seq_out,
                                     struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_SEGMENT_SMALL);
    int64_t after_seq = 0;
    int64_t upto_seq = -1;
    int64_t rows = 0;
    int count = 0;
    bool has_row = false;
    enum lb_err rc;

    *after_seq_out = 0;
    *upto_seq_out = 0;
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, events / 2);
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        int64_t more = sqlite3_column_int64(stmt, 2);

        if (sqlite3_column_int64(stmt, 0) == upto_seq && count > 1 &&
            rows + more > events) {
            *after_seq_out = after_seq;
            *upto_seq_out = upto_seq;
            (void)sqlite3_reset(stmt);
            break;
        }
        if (sqlite3_column_int64(stmt, 0) != upto_seq || rows + more > events) {
            after_seq = sqlite3_column_int64(stmt, 0);
            rows = 0;
            count = 0;
        }
        upto_seq = sqlite3_column_int64(stmt, 1);
        rows += more;
        count++;
    }
    return rc;
}

enum lb_err segment_store_next_aged(struct db *db,
                                    int64_t at_ms,
                                    int64_t *number,
                                    struct segment_info *info_out,
                                    struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_SEGMENT_AGED);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, *number);
        (void)sqlite3_bind_int64(stmt, 2, at_ms);
    }
    rc = db_next(db, stmt, &has_row, err);
    *number = 0;
    if (has_row) {
        read_info(stmt, info_out);
        *number = info_out->number;
        (void)sqlite3_reset(stmt);
    }
    return rc;
}
