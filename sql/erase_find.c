/* erase_find.c - who is meant by an erasure, and what they left. */
#include "sql/erase_find.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/zone.h"
#include "sql/engagement.h"
#include "sql/log_store.h"

#define PERIOD_BEFORE_DAYS 2 /* of a visitor's events before its day, */
#define PERIOD_AFTER_DAYS 34 /* and after: a month, and any zone */
#define ENGAGEMENT_ARENA_BYTES ((size_t)256 * 1024)

/* --- who is meant ----------------------------------------------------------
 */

static enum lb_err add_visitor(struct erase *erase,
                               int64_t site,
                               int64_t day,
                               int64_t number,
                               struct lb_error *err)
{
    struct erase_visitor *more;

    for (size_t i = 0; i < erase->visitor_count; i++) {
        const struct erase_visitor *one = &erase->visitors[i];

        if (one->site == site && one->day == day && one->number == number) {
            return LB_OK;
        }
    }
    more = realloc(erase->visitors, (erase->visitor_count + 1) * sizeof(*more));
    if (more == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    erase->visitors = more;
    more[erase->visitor_count++] =
        (struct erase_visitor){site, day, number, 0, 0};
    return LB_OK;
}

static bool is_site_meant(const struct erase *erase, int64_t site)
{
    for (size_t i = 0; i < erase->site_count; i++) {
        if (erase->sites[i] == site) {
            return true;
        }
    }
    return erase->order.site == NULL;
}

static enum lb_err
resolve_site(struct erase *erase, struct db *db, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ERASE_SITES);
    bool has_row = false;
    enum lb_err rc;

    if (erase->order.site == NULL) {
        return LB_OK;
    }
    if (stmt != NULL) {
        db_bind_text(stmt, 1, erase->order.site);
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        if (erase->site_count < ERASE_SITES) {
            erase->sites[erase->site_count++] = sqlite3_column_int64(stmt, 0);
        }
    }
    return rc == LB_OK && erase->site_count == 0
               ? lb_err_set(err, LB_ENOTFOUND, "there is no such site")
               : rc;
}

/* What the id that a client gave is under a salt. */
struct given {
    int64_t salt;
    int64_t site;
    int64_t day;
    uint64_t hash;
};

struct givens {
    struct given *items; /* owned; in the order of their salts */
    size_t count;
    size_t cap;
};

static enum lb_err add_given(struct givens *givens,
                             const struct given *given,
                             struct lb_error *err)
{
    if (givens->count == givens->cap) {
        size_t cap = givens->cap == 0 ? 64 : givens->cap * 2;
        struct given *items = realloc(givens->items, cap * sizeof(*items));

        if (items == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        givens->items = items;
        givens->cap = cap;
    }
    givens->items[givens->count++] = *given;
    return LB_OK;
}

static enum lb_err hash_given(const struct erase *erase,
                              struct db *db,
                              struct givens *givens,
                              struct lb_error *err)
{
    sqlite3_stmt *salts = db_stmt(db, SQL_ERASE_SALTS);
    bool has_row = false;
    enum lb_err rc;

    while ((rc = db_next(db, salts, &has_row, err)) == LB_OK && has_row) {
        struct given given = {sqlite3_column_int64(salts, 0),
                              sqlite3_column_int64(salts, 1),
                              sqlite3_column_int64(salts, 2), 0};

        if (!is_site_meant(erase, given.site) ||
            sqlite3_column_bytes(salts, 3) != 32) {
            continue;
        }
        given.hash = erase->hooks.hash_given(
            sqlite3_column_blob(salts, 3),
            (const char *)sqlite3_column_text(salts, 4), erase->order.visitor);
        rc = add_given(givens, &given, err);
        if (rc != LB_OK) {
            (void)sqlite3_reset(salts);
            break;
        }
    }
    return rc;
}

static int compare_salts(const void *a, const void *b)
{
    const struct given *one = a;
    const struct given *other = b;

    return one->salt < other->salt ? -1 : one->salt > other->salt;
}

/* Those who were recognised by the id that a client gave. */
static enum lb_err
find_given(struct erase *erase, struct db *db, struct lb_error *err)
{
    struct givens givens = {NULL, 0, 0};
    sqlite3_stmt *stmt;
    bool has_row = false;
    enum lb_err rc = hash_given(erase, db, &givens, err);

    stmt =
        rc == LB_OK && givens.count > 0 ? db_stmt(db, SQL_ERASE_HASHES) : NULL;
    while (rc == LB_OK && givens.count > 0 &&
           (rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        const struct given wanted = {.salt = sqlite3_column_int64(stmt, 0)};
        const struct given *given = bsearch(&wanted, givens.items, givens.count,
                                            sizeof(wanted), compare_salts);

        if (given != NULL &&
            given->hash == (uint64_t)sqlite3_column_int64(stmt, 1)) {
            rc = add_visitor(erase, given->site, given->day,
                             sqlite3_column_int64(stmt, 2), err);
        }
    }
    if (rc != LB_OK) {
        (void)sqlite3_reset(stmt);
    }
    free(givens.items);
    return rc;
}

/* Where each visitor's hash stands: the writer has no time to look for it. */
static enum lb_err
find_hash_rows(struct erase *erase, struct db *db, struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < erase->visitor_count && rc == LB_OK; i++) {
        struct erase_visitor *one = &erase->visitors[i];
        sqlite3_stmt *stmt = db_stmt(db, SQL_ERASE_HASH_ROW);
        bool has_row = false;

        if (stmt != NULL) {
            (void)sqlite3_bind_int64(stmt, 1, one->site);
            (void)sqlite3_bind_int64(stmt, 2, one->day);
            (void)sqlite3_bind_int64(stmt, 3, one->number);
        }
        rc = db_next(db, stmt, &has_row, err);
        if (has_row) {
            one->hash_seq = sqlite3_column_int64(stmt, 0);
            one->salt = sqlite3_column_int64(stmt, 1);
            (void)sqlite3_reset(stmt);
        }
    }
    return rc;
}

/* Reads "2026-11-23.17", as an export names a visitor. */
static bool
read_exported(const char *text, int64_t *day_out, int64_t *number_out)
{
    char day[LB_ZONE_DAY_BYTES];
    const char *dot = strchr(text, '.');
    long long number = 0;

    if (dot == NULL || dot - text != 10 || !lb_text_to_int(dot + 1, &number) ||
        number <= 0) {
        return false;
    }
    memcpy(day, text, 10);
    day[10] = '\0';
    *number_out = number;
    return lb_zone_parse_day(day, day_out);
}

static enum lb_err
find_exported(struct erase *erase, struct db *db, struct lb_error *err)
{
    sqlite3_stmt *stmt;
    int64_t day = 0;
    int64_t number = 0;
    size_t before = erase->visitor_count;
    bool has_row = false;
    enum lb_err rc = LB_OK;

    if (!read_exported(erase->order.visitor, &day, &number)) {
        return LB_OK;
    }
    stmt = db_stmt(db, SQL_ERASE_VISITOR_SITES);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, day);
        (void)sqlite3_bind_int64(stmt, 2, number);
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        if (is_site_meant(erase, sqlite3_column_int64(stmt, 0)) &&
            add_visitor(erase, sqlite3_column_int64(stmt, 0), day, number,
                        err) != LB_OK) {
            (void)sqlite3_reset(stmt);
            return LB_ENOMEM;
        }
    }
    if (rc == LB_OK && erase->visitor_count > before + 1) {
        return lb_err_set(err, LB_EINVAL,
                          "that visitor is one of several sites; say which "
                          "with --site");
    }
    return rc;
}

static enum lb_err add_found(struct erase *erase,
                             int64_t seq,
                             int64_t site,
                             int64_t ts_ms,
                             struct lb_error *err)
{
    const struct catalog_site *known =
        catalog_site_by_number(erase->catalog, site);

    if (erase->found_count == erase->found_cap) {
        size_t cap = erase->found_cap == 0 ? 256 : erase->found_cap * 2;
        struct erase_found *found = realloc(erase->found, cap * sizeof(*found));

        if (found == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        erase->found = found;
        erase->found_cap = cap;
    }
    erase->found[erase->found_count++] = (struct erase_found){
        .seq = seq,
        .site = site,
        .day = known == NULL ? 0 : lb_zone_local_day(known->zone, ts_ms)};
    return LB_OK;
}

/* Adds the event that gave the address, and who its visitor is. */
static enum lb_err add_giver(struct erase *erase,
                             struct db *db,
                             struct log_lookup *lookup,
                             int64_t seq,
                             struct lb_error *err)
{
    const struct entry *event = NULL;
    enum lb_err rc = log_lookup_event(lookup, db, seq, 0, &event, err);

    if (rc != LB_OK || event == NULL || !is_site_meant(erase, event->site) ||
        event->ts_at_ms >= erase->order.before_at_ms) {
        return rc;
    }
    rc = add_found(erase, seq, event->site, event->ts_at_ms, err);
    return rc == LB_OK && event->visitor != 0
               ? add_visitor(erase, event->site, event->visitor_day,
                             event->visitor, err)
               : rc;
}

static enum lb_err
find_email(struct erase *erase, struct db *db, struct lb_error *err)
{
    sqlite3_stmt *contacts = db_stmt(db, SQL_ERASE_CONTACTS);
    struct log_lookup *lookup = log_lookup_new();
    bool has_row = false;
    enum lb_err rc =
        lookup == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory") : LB_OK;

    erase->email_hash =
        erase_email_hash(erase->hooks.id_key, erase->order.email);
    if (contacts != NULL) {
        (void)sqlite3_bind_int64(contacts, 1, (int64_t)erase->email_hash);
    }
    while (rc == LB_OK &&
           (rc = db_next(db, contacts, &has_row, err)) == LB_OK && has_row) {
        rc = add_giver(erase, db, lookup, sqlite3_column_int64(contacts, 0),
                       err);
        if (rc != LB_OK) {
            (void)sqlite3_reset(contacts);
        }
    }
    log_lookup_free(lookup);
    return rc;
}

enum lb_err
erase_find_who(struct erase *erase, struct db *db, struct lb_error *err)
{
    enum lb_err rc = resolve_site(erase, db, err);

    if (rc == LB_OK && erase->order.visitor != NULL) {
        rc = find_given(erase, db, err);
        rc = rc == LB_OK ? find_exported(erase, db, err) : rc;
    }
    if (rc == LB_OK && erase->order.email != NULL) {
        rc = find_email(erase, db, err);
    }
    return rc == LB_OK ? find_hash_rows(erase, db, err) : rc;
}

/* --- what they left --------------------------------------------------------
 */

static bool is_visitor_meant(const struct erase *erase,
                             int64_t site,
                             int64_t day,
                             int64_t number)
{
    for (size_t i = 0; i < erase->visitor_count && number != 0; i++) {
        const struct erase_visitor *one = &erase->visitors[i];

        if (one->site == site && one->day == day && one->number == number) {
            return true;
        }
    }
    return false;
}

/* Two people behind one address and browser are one visitor: whoever gave an
 * address of their own stays, and what gave this one is found already. */
static enum lb_err has_address(const struct erase *erase,
                               struct db *db,
                               int64_t seq,
                               bool *has_one_out,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt;
    bool has_row = false;
    enum lb_err rc;

    *has_one_out = false;
    if (erase->order.email == NULL) {
        return LB_OK;
    }
    stmt = db_stmt(db, SQL_ERASE_CONTACT_HASH);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, seq);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        *has_one_out = sqlite3_column_type(stmt, 0) != SQLITE_NULL;
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

static enum lb_err consider(struct erase *erase,
                            struct db *db,
                            const struct entry *entry,
                            struct lb_error *err)
{
    bool is_other = false;
    enum lb_err rc = LB_OK;

    if (!erase_is_whole_site(erase)) {
        if (!is_visitor_meant(erase, entry->site, entry->visitor_day,
                              entry->visitor)) {
            return LB_OK;
        }
        rc = has_address(erase, db, entry->seq, &is_other, err);
    }
    return rc == LB_OK && !is_other
               ? add_found(erase, entry->seq, entry->site, entry->ts_at_ms, err)
               : rc;
}

/* How far the visitor, or the site's visitors, read. */
static enum lb_err consider_engagement(struct erase *erase,
                                       const struct entry *entry,
                                       struct lb_arena *arena,
                                       struct lb_error *err)
{
    struct engagement seen;
    enum lb_err rc;

    if (entry->received_at_ms >= erase->order.before_at_ms) {
        return LB_OK;
    }
    lb_arena_clear(arena);
    rc = engagement_read(entry->data, arena, &seen, err);
    if (rc != LB_OK ||
        !(erase_is_whole_site(erase)
              ? is_site_meant(erase, seen.site)
              : is_visitor_meant(erase, seen.site, seen.visitor_day,
                                 seen.visitor))) {
        return rc;
    }
    rc = add_found(erase, entry->seq, seen.site, entry->received_at_ms, err);
    if (rc == LB_OK) {
        erase->found[erase->found_count - 1].is_engagement = true;
    }
    return rc;
}

static void narrow(const struct erase *erase, struct log_range *range)
{
    range->has_other_kinds = true;
    range->to_at_ms = erase->order.before_at_ms;
    if (erase_is_whole_site(erase)) {
        range->sites = erase->sites;
        range->site_count = erase->site_count;
        return;
    }
    range->from_at_ms = INT64_MAX;
    range->to_at_ms = INT64_MIN;
    for (size_t i = 0; i < erase->visitor_count; i++) {
        int64_t day = erase->visitors[i].day;
        int64_t from_ms = (day - PERIOD_BEFORE_DAYS) * LB_MS_PER_DAY;
        int64_t to_ms = (day + PERIOD_AFTER_DAYS) * LB_MS_PER_DAY;

        range->from_at_ms =
            from_ms < range->from_at_ms ? from_ms : range->from_at_ms;
        range->to_at_ms = to_ms > range->to_at_ms ? to_ms : range->to_at_ms;
    }
    if (range->to_at_ms > erase->order.before_at_ms) {
        range->to_at_ms = erase->order.before_at_ms;
    }
}

enum lb_err erase_find_piece(struct erase *erase,
                             struct db *db,
                             bool *is_over_out,
                             struct lb_error *err)
{
    struct log_range range = {.after_seq = erase->after_seq,
                              .upto_seq = erase->after_seq + ERASE_PIECE_SEQS,
                              .from_at_ms = INT64_MIN};
    struct dict_cache *cache = dict_cache_new();
    struct lb_arena *arena = lb_arena_new(ENGAGEMENT_ARENA_BYTES);
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    int64_t next_seq = 0;
    enum lb_err rc = db_meta_get(db, "next_seq", 1, &next_seq, err);

    *is_over_out = false;
    narrow(erase, &range);
    rc = cache == NULL || arena == NULL
             ? lb_err_set(err, LB_ENOMEM, "out of memory")
             : rc;
    rc = rc == LB_OK ? log_reader_open(db, cache, &range, &reader, err) : rc;
    while (rc == LB_OK &&
           (rc = log_reader_next(reader, &entry, err)) == LB_OK &&
           entry != NULL) {
        if (entry->kind == ENTRY_EVENT) {
            rc = consider(erase, db, entry, err);
        } else if (entry->kind == ENTRY_ENGAGEMENT) {
            rc = consider_engagement(erase, entry, arena, err);
        }
    }
    log_reader_close(reader);
    dict_cache_free(cache);
    lb_arena_free(arena);
    erase->after_seq = range.upto_seq;
    *is_over_out = rc != LB_OK || erase->after_seq >= next_seq ||
                   (!erase_is_whole_site(erase) && erase->visitor_count == 0);
    return rc;
}

void erase_find_each_day(const struct erase *erase,
                         void (*each)(void *ctx,
                                      const struct catalog_site *site,
                                      int64_t day),
                         void *ctx)
{
    for (size_t i = 0; i < erase->found_count; i++) {
        const struct erase_found *one = &erase->found[i];
        const struct catalog_site *site =
            catalog_site_by_number(erase->catalog, one->site);

        if (site != NULL && !one->is_engagement &&
            (i == 0 || one->site != one[-1].site || one->day != one[-1].day)) {
            each(ctx, site, one->day);
        }
    }
}
