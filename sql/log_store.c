/* log_store.c - writing events and reading the log. */
#include "sql/log_store.h"

#include <stdlib.h>
#include <string.h>

#include "sql/log_rows.h"
#include "sql/sealed.h"

#define JOINED_BYTES 1024

static enum lb_err
insert_contact(struct db *db, const struct entry *entry, struct lb_error *err)
{
    sqlite3_stmt *stmt;
    bool has_any = entry->email_hash != 0;

    if (entry->kind != ENTRY_EVENT) {
        return LB_OK;
    }
    for (int i = 0; i < ENTRY_CONTACT_COUNT; i++) {
        has_any = has_any || entry->contact[i] != NULL;
    }
    if (!has_any) {
        return LB_OK;
    }
    stmt = db_stmt(db, SQL_LOG_INSERT_CONTACT);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, entry->seq);
        for (int i = 0; i < ENTRY_CONTACT_COUNT; i++) {
            db_bind_text(stmt, 2 + i, entry->contact[i]);
        }
        db_bind_number_or_null(stmt, 2 + ENTRY_CONTACT_COUNT,
                               (int64_t)entry->email_hash);
        (void)sqlite3_bind_int64(stmt, 3 + ENTRY_CONTACT_COUNT, entry->site);
        (void)sqlite3_bind_int64(stmt, 4 + ENTRY_CONTACT_COUNT,
                                 entry->ts_at_ms);
    }
    return db_run(db, stmt, err);
}

enum lb_err log_sealed_to(struct db *db, int64_t *seq_out, struct lb_error *err)
{
    return db_meta_get(db, "sealed_to", 0, seq_out, err);
}

static enum lb_err note_block(struct db *db,
                              int64_t block,
                              int64_t first_ms,
                              int64_t last_ms,
                              int64_t sites,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt;

    if (sites == 0) {
        return LB_OK;
    }
    stmt = db_stmt(db, SQL_LOG_NOTE_BLOCK);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, block);
        (void)sqlite3_bind_int64(stmt, 2, first_ms);
        (void)sqlite3_bind_int64(stmt, 3, last_ms);
        (void)sqlite3_bind_int64(stmt, 4, sites);
    }
    return db_run(db, stmt, err);
}

/* The times and sites of events in their blocks. */
static enum lb_err note_blocks(struct db *db,
                               const struct entry *const *entries,
                               size_t count,
                               struct lb_error *err)
{
    int64_t block = -1;
    int64_t first_ms = 0;
    int64_t last_ms = 0;
    int64_t sites = 0;
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        const struct entry *entry = entries[i];

        if (entry->kind != ENTRY_EVENT) {
            continue;
        }
        if (entry->seq >> LOG_BLOCK_SHIFT != block) {
            rc = note_block(db, block, first_ms, last_ms, sites, err);
            block = entry->seq >> LOG_BLOCK_SHIFT;
            first_ms = entry->ts_at_ms;
            last_ms = entry->ts_at_ms;
            sites = 0;
        }
        first_ms = entry->ts_at_ms < first_ms ? entry->ts_at_ms : first_ms;
        last_ms = entry->ts_at_ms > last_ms ? entry->ts_at_ms : last_ms;
        sites |= segment_site_set(&entry->site, 1);
    }
    return rc == LB_OK ? note_block(db, block, first_ms, last_ms, sites, err)
                       : rc;
}

enum lb_err log_insert_events(struct db *db,
                              const struct entry *const *entries,
                              size_t count,
                              struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        rc = insert_contact(db, entries[i], err);
    }
    rc = rc == LB_OK ? log_rows_put(db, entries, count, err) : rc;
    return rc == LB_OK ? note_blocks(db, entries, count, err) : rc;
}

enum lb_err log_time_bounds(struct db *db,
                            const int64_t *sites,
                            size_t site_count,
                            struct log_bounds *bounds_out,
                            struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_LOG_BOUNDS);
    bool has_row = false;
    enum lb_err rc;

    *bounds_out = (struct log_bounds){.has_events = false};
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, segment_site_set(sites, site_count));
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        bounds_out->has_events = sqlite3_column_type(stmt, 0) != SQLITE_NULL;
        bounds_out->first_at_ms = sqlite3_column_int64(stmt, 0);
        bounds_out->last_at_ms = sqlite3_column_int64(stmt, 1);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

/* A run of blocks that may hold what is looked for, as a range of log numbers.
 */
struct run {
    int64_t after_seq;
    int64_t upto_seq;
};

struct log_reader {
    struct db *db;
    struct dict_cache *cache;
    struct log_range range;
    struct run *runs; /* owned */
    size_t run_count;
    size_t next_run;
    struct horizon *horizon; /* owned */
    int64_t sealed_to;       /* log numbers up to it lie in segments */
    struct sealed *sealed;   /* owned; NULL: none, or at their end */
    struct log_rows rows;    /* of the run under way */
    bool has_run;            /* there is one */
    sqlite3_stmt *others;    /* NULL: none or at its end */
    sqlite3_stmt *contact; /* on the row of the entry given last; NULL: none */
    struct entry row;      /* an event that is not sealed */
    const struct entry *event; /* the row, or a sealed one */
    struct entry other;
    bool has_event; /* event holds one that was not given yet */
    bool has_other;
    char place[JOINED_BYTES];
    char device[JOINED_BYTES];
};

static enum lb_err add_run(struct log_reader *reader,
                           int64_t block,
                           size_t *cap,
                           struct lb_error *err)
{
    int64_t first = block << LOG_BLOCK_SHIFT;
    struct run run = {first - 1, first + (INT64_C(1) << LOG_BLOCK_SHIFT) - 1};

    run.after_seq = run.after_seq < reader->range.after_seq
                        ? reader->range.after_seq
                        : run.after_seq;
    run.after_seq =
        run.after_seq < reader->sealed_to ? reader->sealed_to : run.after_seq;
    run.upto_seq = run.upto_seq > reader->range.upto_seq
                       ? reader->range.upto_seq
                       : run.upto_seq;
    if (run.after_seq >= run.upto_seq) {
        return LB_OK;
    }
    if (reader->run_count > 0 &&
        reader->runs[reader->run_count - 1].upto_seq == run.after_seq) {
        reader->runs[reader->run_count - 1].upto_seq = run.upto_seq;
        return LB_OK;
    }
    if (reader->run_count == *cap) {
        size_t more = *cap == 0 ? 64 : *cap * 2;
        struct run *runs = realloc(reader->runs, more * sizeof(*runs));

        if (runs == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        reader->runs = runs;
        *cap = more;
    }
    reader->runs[reader->run_count++] = run;
    return LB_OK;
}

static enum lb_err find_runs(struct log_reader *reader, struct lb_error *err)
{
    const struct log_range *range = &reader->range;
    int64_t after_seq = range->after_seq < reader->sealed_to ? reader->sealed_to
                                                             : range->after_seq;
    sqlite3_stmt *stmt = db_stmt(reader->db, SQL_LOG_BLOCKS);
    bool has_row = false;
    size_t cap = 0;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (after_seq + 1) >> LOG_BLOCK_SHIFT);
        (void)sqlite3_bind_int64(stmt, 2, range->upto_seq >> LOG_BLOCK_SHIFT);
        (void)sqlite3_bind_int64(stmt, 3, range->from_at_ms);
        (void)sqlite3_bind_int64(stmt, 4, range->to_at_ms);
        (void)sqlite3_bind_int64(
            stmt, 5, segment_site_set(range->sites, range->site_count));
    }
    while ((rc = db_next(reader->db, stmt, &has_row, err)) == LB_OK &&
           has_row) {
        rc = add_run(reader, sqlite3_column_int64(stmt, 0), &cap, err);
        if (rc != LB_OK) {
            (void)sqlite3_reset(stmt);
            break;
        }
    }
    return rc;
}

/* The columns of segments that hold what the range asks for. */
static uint32_t columns_of(const struct log_range *range)
{
    uint32_t columns = SEALED_NUMBERS;

    if (!range->has_texts || range->texts == 0) {
        return range->has_texts ? SEALED_ALL : SEALED_NUMBERS;
    }
    for (int text = 0; text < ENTRY_TEXT_COUNT; text++) {
        if ((range->texts >> text & 1) != 0) {
            columns |= UINT32_C(1) << segment_column_of((enum entry_text)text);
        }
    }
    return columns;
}

static enum lb_err open_sealed(struct log_reader *reader, struct lb_error *err)
{
    const struct log_range *range = &reader->range;
    const struct segment_wish wish = {
        range->after_seq, range->upto_seq,   range->from_at_ms, range->to_at_ms,
        range->sites,     range->site_count, reader->horizon};

    return range->after_seq >= reader->sealed_to
               ? LB_OK
               : sealed_open(reader->db,
                             range->has_texts ? reader->cache : NULL, &wish,
                             columns_of(range), &reader->sealed, err);
}

enum lb_err log_reader_open(struct db *db,
                            struct dict_cache *cache,
                            const struct log_range *range,
                            struct log_reader **reader_out,
                            struct lb_error *err)
{
    struct log_reader *reader = calloc(1, sizeof(*reader));
    enum lb_err rc;

    *reader_out = NULL;
    if (reader == NULL) {
        (void)lb_err_set(err, LB_ENOMEM, "out of memory");
        return LB_ENOMEM; /* never LB_OK without a reader */
    }
    reader->db = db;
    reader->cache = cache;
    reader->range = *range;
    rc = horizon_load(db, &reader->horizon, err);
    rc = rc == LB_OK ? log_sealed_to(db, &reader->sealed_to, err) : rc;
    rc = rc == LB_OK ? open_sealed(reader, err) : rc;
    rc = rc == LB_OK ? find_runs(reader, err) : rc;
    if (rc == LB_OK && range->has_other_kinds) {
        reader->others = db_stmt(db, SQL_LOG_OTHERS);
        if (reader->others == NULL) {
            rc = db_error(db, "read the log", err);
        } else {
            (void)sqlite3_bind_int64(reader->others, 1, range->after_seq);
            (void)sqlite3_bind_int64(reader->others, 2, range->upto_seq);
        }
    }
    if (rc != LB_OK) {
        log_reader_close(reader);
        return rc;
    }
    *reader_out = reader;
    return LB_OK;
}

void log_reader_close(struct log_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    log_rows_close(&reader->rows);
    (void)sqlite3_reset(reader->others);
    (void)sqlite3_reset(reader->contact);
    sealed_close(reader->sealed);
    horizon_free(reader->horizon);
    free(reader->runs);
    free(reader);
}

void log_split(const char *joined,
               char *out,
               size_t out_bytes,
               const char **parts,
               size_t count)
{
    size_t len = joined == NULL ? 0 : strlen(joined);
    char *at = out;

    memset(parts, 0, count * sizeof(*parts));
    if (len == 0 || len >= out_bytes) {
        return;
    }
    memcpy(out, joined, len + 1);
    for (size_t i = 0; i < count && at != NULL; i++) {
        char *next = strchr(at, '\x1f');

        if (next != NULL) {
            *next++ = '\0';
        }
        parts[i] = at[0] == '\0' ? NULL : at;
        at = next;
    }
}

static enum lb_err read_contact(struct log_reader *reader,
                                struct entry *entry,
                                struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(reader->db, SQL_LOG_CONTACT);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, entry->seq);
    }
    reader->contact = stmt;
    rc = db_next(reader->db, stmt, &has_row, err);
    /* The row stays current until the statement's next use: at the next lead.
     */
    for (int i = 0; i < ENTRY_CONTACT_COUNT && has_row; i++) {
        entry->contact[i] = (const char *)sqlite3_column_text(stmt, i);
    }
    return rc;
}

static bool may_have_contact(const struct log_reader *reader,
                             const struct entry *entry)
{
    return reader->range.texts == 0 &&
           (entry->type == ENTRY_LEAD || entry->type == ENTRY_CONVERSION);
}

/* Whether any of count texts from first on is wanted. */
static bool
is_asked(const struct log_reader *reader, enum entry_text first, unsigned count)
{
    uint32_t bits = ((UINT32_C(1) << count) - 1) << (unsigned)first;

    return reader->range.texts == 0 || (reader->range.texts & bits) != 0;
}

static enum lb_err
read_texts(struct log_reader *reader, struct entry *entry, struct lb_error *err)
{
    static const struct {
        enum entry_text text;
        enum entry_dict dict;
    } plain[] = {{ENTRY_TEXT_LINK, ENTRY_DICT_LINK},
                 {ENTRY_TEXT_SOURCE, ENTRY_DICT_SOURCE},
                 {ENTRY_TEXT_CHANNEL, ENTRY_DICT_CHANNEL},
                 {ENTRY_TEXT_UTM_SOURCE, ENTRY_DICT_UTM_SOURCE},
                 {ENTRY_TEXT_UTM_MEDIUM, ENTRY_DICT_UTM_MEDIUM},
                 {ENTRY_TEXT_UTM_CAMPAIGN, ENTRY_DICT_UTM_CAMPAIGN},
                 {ENTRY_TEXT_REASON, ENTRY_DICT_REASON}};

    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        if (is_asked(reader, plain[i].text, 1)) {
            entry->text[plain[i].text] = dict_cache_text(
                reader->cache, reader->db, entry->dict[plain[i].dict]);
        }
    }
    if (is_asked(reader, ENTRY_TEXT_COUNTRY, 3)) {
        log_split(dict_cache_text(reader->cache, reader->db,
                                  entry->dict[ENTRY_DICT_PLACE]),
                  reader->place, sizeof(reader->place),
                  &entry->text[ENTRY_TEXT_COUNTRY], 3);
    }
    if (is_asked(reader, ENTRY_TEXT_DEVICE, 5)) {
        log_split(dict_cache_text(reader->cache, reader->db,
                                  entry->dict[ENTRY_DICT_DEVICE]),
                  reader->device, sizeof(reader->device),
                  &entry->text[ENTRY_TEXT_DEVICE], 5);
    }
    return may_have_contact(reader, entry) ? read_contact(reader, entry, err)
                                           : LB_OK;
}

static bool
is_wanted(const struct log_reader *reader, int64_t site, int64_t ts_ms)
{
    const struct log_range *range = &reader->range;

    if (ts_ms < range->from_at_ms || ts_ms >= range->to_at_ms ||
        ts_ms < horizon_of(reader->horizon, site)) {
        return false;
    }
    if (range->sites == NULL) {
        return true;
    }
    for (size_t i = 0; i < range->site_count; i++) {
        if (range->sites[i] == site) {
            return true;
        }
    }
    return false;
}

/* Begins with the next run; there is none after the last one. */
static void open_run(struct log_reader *reader)
{
    log_rows_close(&reader->rows);
    reader->has_run = reader->next_run < reader->run_count;
    if (reader->has_run) {
        const struct run *run = &reader->runs[reader->next_run++];

        log_rows_open(reader->db, run->after_seq, run->upto_seq,
                      reader->range.has_texts, &reader->rows);
    }
}

/* The next event of the segments; sealed is NULL at their end. */
static enum lb_err fetch_sealed(struct log_reader *reader, struct lb_error *err)
{
    struct entry *entry = NULL;
    enum lb_err rc = sealed_next(reader->sealed, &entry, err);

    if (rc == LB_OK && entry == NULL) {
        sealed_close(reader->sealed);
        reader->sealed = NULL;
        return LB_OK;
    }
    reader->event = entry;
    reader->has_event = rc == LB_OK;
    return rc == LB_OK && reader->range.has_texts &&
                   may_have_contact(reader, entry)
               ? read_contact(reader, entry, err)
               : rc;
}

/* Steps to the next wanted event; has_event stays false at the end. */
static enum lb_err fetch_event(struct log_reader *reader, struct lb_error *err)
{
    struct entry *row = &reader->row;
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && !reader->has_event && reader->sealed != NULL) {
        rc = fetch_sealed(reader, err);
    }
    while (rc == LB_OK && !reader->has_event) {
        bool has_row = false;

        if (!reader->has_run) {
            open_run(reader);
        }
        if (!reader->has_run) {
            return LB_OK;
        }
        rc = log_rows_next(&reader->rows, row, &has_row, err);
        reader->has_run = has_row;
        if (has_row && is_wanted(reader, row->site, row->ts_at_ms)) {
            rc = reader->range.has_texts ? read_texts(reader, row, err) : LB_OK;
            reader->event = row;
            reader->has_event = true;
        }
    }
    return rc;
}

static enum lb_err fetch_other(struct log_reader *reader, struct lb_error *err)
{
    bool has_row = false;
    enum lb_err rc;

    if (reader->others == NULL || reader->has_other) {
        return LB_OK;
    }
    rc = db_next(reader->db, reader->others, &has_row, err);
    if (!has_row) {
        reader->others = NULL;
        return rc;
    }
    memset(&reader->other, 0, sizeof(reader->other));
    reader->other.seq = sqlite3_column_int64(reader->others, 0);
    reader->other.kind = (enum entry_kind)sqlite3_column_int(reader->others, 1);
    reader->other.received_at_ms = sqlite3_column_int64(reader->others, 2);
    reader->other.ts_at_ms = reader->other.received_at_ms;
    reader->other.data = (const char *)sqlite3_column_text(reader->others, 3);
    reader->has_other = true;
    return LB_OK;
}

enum lb_err log_reader_next(struct log_reader *reader,
                            const struct entry **entry_out,
                            struct lb_error *err)
{
    enum lb_err rc = fetch_event(reader, err);

    *entry_out = NULL;
    rc = rc == LB_OK ? fetch_other(reader, err) : rc;
    if (rc != LB_OK) {
        return rc;
    }
    if (reader->has_event &&
        (!reader->has_other || reader->event->seq < reader->other.seq)) {
        reader->has_event = false;
        *entry_out = reader->event;
    } else if (reader->has_other) {
        reader->has_other = false;
        *entry_out = &reader->other;
    }
    return LB_OK;
}

struct entry *log_copy_entry(struct lb_arena *arena, const struct entry *entry)
{
    struct entry *copy = lb_arena_alloc(arena, sizeof(*copy));
    bool is_full = copy == NULL;

    if (is_full) {
        return NULL;
    }
    *copy = *entry;
    for (int i = 0; i < ENTRY_TEXT_COUNT; i++) {
        if (entry->text[i] != NULL) {
            copy->text[i] =
                lb_arena_text(arena, entry->text[i], strlen(entry->text[i]));
            is_full = is_full || copy->text[i] == NULL;
        }
    }
    for (int i = 0; i < ENTRY_CONTACT_COUNT; i++) {
        if (entry->contact[i] != NULL) {
            copy->contact[i] = lb_arena_text(arena, entry->contact[i],
                                             strlen(entry->contact[i]));
            is_full = is_full || copy->contact[i] == NULL;
        }
    }
    if (entry->data != NULL) {
        copy->data = lb_arena_text(arena, entry->data, strlen(entry->data));
        is_full = is_full || copy->data == NULL;
    }
    return is_full ? NULL : copy;
}
