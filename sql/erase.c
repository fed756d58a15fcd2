/* erase.c - removing what is to be forgotten, a batch at a time. */
#include "sql/erase.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"
#include "sql/log_change.h"
#include "sql/log_ids.h"
#include "sql/log_store.h"

#define STEP_NS INT64_C(4000000) /* of one transaction */
#define SITE_STEP 50             /* rows of a table removed at once */
#define SUMMARY "Erased on request"
#define EMAIL_BYTES 1024

uint64_t erase_email_hash(const uint8_t key[16], const char *email)
{
    static const char mark[] = "email";
    char bytes[sizeof(mark) + EMAIL_BYTES];
    size_t len = strlen(email);
    uint64_t hash;

    while (len > 0 && (unsigned char)email[0] <= ' ') {
        email++;
        len--;
    }
    while (len > 0 && (unsigned char)email[len - 1] <= ' ') {
        len--;
    }
    len = len > EMAIL_BYTES ? EMAIL_BYTES : len;
    memcpy(bytes, mark, sizeof(mark));
    for (size_t i = 0; i < len; i++) {
        bytes[sizeof(mark) + i] = lb_text_fold(email[i]);
    }
    hash = lb_hash_sip(key, bytes, sizeof(mark) + len);
    return hash == 0 ? 1 : hash;
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : strdup(text);
}

enum lb_err erase_new(const struct erase_order *order,
                      const struct catalog *catalog,
                      const struct erase_hooks *hooks,
                      struct erase **erase_out,
                      struct lb_error *err)
{
    struct erase *erase = calloc(1, sizeof(*erase));

    *erase_out = erase;
    if (erase == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    erase->order.visitor = copy(order->visitor);
    erase->order.email = copy(order->email);
    erase->order.site = copy(order->site);
    erase->order.before_at_ms = order->before_at_ms;
    erase->catalog = catalog;
    erase->hooks = *hooks;
    erase->lookup = log_lookup_new();
    return erase->lookup == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory")
                                 : LB_OK;
}

/* Overwrites a text that names somebody before its memory goes back. */
static void wipe(const char *text)
{
    if (text != NULL) {
        char *bytes = (char *)(uintptr_t)text;

        explicit_bzero(bytes, strlen(bytes));
        free(bytes);
    }
}

void erase_free(struct erase *erase)
{
    if (erase != NULL) {
        wipe(erase->order.visitor);
        wipe(erase->order.email);
        wipe(erase->order.site);
        free(erase->visitors);
        free(erase->found);
        free(erase->texts);
        free(erase->is_text_used);
        log_lookup_free(erase->lookup);
        free(erase);
    }
}

const struct erase_counts *erase_counts(const struct erase *erase)
{
    return &erase->counts;
}

bool erase_is_whole_site(const struct erase *erase)
{
    return erase->order.visitor == NULL && erase->order.email == NULL;
}

/* --- removing --------------------------------------------------------------
 */

static enum lb_err run_text(struct db *db,
                            enum sql_query query,
                            const char *text,
                            const char *more,
                            int64_t *changed,
                            struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, query);
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, text);
        if (more != NULL) {
            db_bind_text(stmt, 2, more);
        }
    }
    rc = db_run(db, stmt, err);
    if (rc == LB_OK && changed != NULL) {
        *changed += sqlite3_changes(db_handle(db));
    }
    return rc;
}

/* Digests that tell of the alert tell of nothing more. */
static enum lb_err scrub_digests(struct erase *erase,
                                 struct db *db,
                                 const char *id,
                                 struct lb_error *err)
{
    enum lb_err rc =
        run_text(db, SQL_ERASE_DIGESTS_ATTEMPTS, id, NULL, NULL, err);

    rc = rc == LB_OK
             ? run_text(db, SQL_ERASE_DIGESTS_OUTBOX, id, NULL, NULL, err)
             : rc;
    return rc == LB_OK ? run_text(db, SQL_ERASE_DIGESTS, id, SUMMARY,
                                  &erase->counts.messages, err)
                       : rc;
}

static enum lb_err scrub_alert(struct erase *erase,
                               struct db *db,
                               const char *id,
                               struct lb_error *err)
{
    enum lb_err rc =
        run_text(db, SQL_ERASE_ALERT, id, SUMMARY, &erase->counts.alerts, err);

    rc = rc == LB_OK ? run_text(db, SQL_ERASE_MESSAGE, id, SUMMARY,
                                &erase->counts.messages, err)
                     : rc;
    rc = rc == LB_OK ? run_text(db, SQL_ERASE_OUTBOX, id, NULL, NULL, err) : rc;
    rc = rc == LB_OK ? scrub_digests(erase, db, id, err) : rc;
    return rc == LB_OK ? run_text(db, SQL_ERASE_ATTEMPTS, id, NULL, NULL, err)
                       : rc;
}

/* The alerts that query finds by key, one after the other: each loses what it
 * was found by, except that an event may have raised several. */
static enum lb_err scrub_alerts(struct erase *erase,
                                struct db *db,
                                enum sql_query query,
                                const char *key,
                                const char *site,
                                struct lb_error *err)
{
    char id[64];
    bool has_row = true;
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && has_row) {
        sqlite3_stmt *stmt = db_stmt(db, query);

        if (stmt != NULL) {
            db_bind_text(stmt, 1, key);
            db_bind_text(stmt, 2, site);
        }
        rc = db_next(db, stmt, &has_row, err);
        if (has_row) {
            (void)snprintf(id, sizeof(id), "%s",
                           (const char *)sqlite3_column_text(stmt, 0));
            (void)sqlite3_reset(stmt);
            rc = scrub_alert(erase, db, id, err);
        }
    }
    return rc;
}

static enum lb_err keep_id(struct erase *erase,
                           struct db *db,
                           const struct entry *entry,
                           struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ERASE_KEEP_ID);
    uint64_t hash = log_ids_hash(erase->hooks.id_key, entry->site,
                                 entry->text[ENTRY_TEXT_ID]);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, entry->seq);
        (void)sqlite3_bind_int64(stmt, 2, (int64_t)hash);
        (void)sqlite3_bind_int64(stmt, 3, entry->received_at_ms);
        (void)sqlite3_bind_int64(stmt, 4, lb_clock_wall_ms());
    }
    return db_run(db, stmt, err);
}

static enum lb_err remove_rows(struct erase *erase,
                               struct db *db,
                               const struct entry *entry,
                               struct lb_error *err)
{
    enum lb_err rc = keep_id(erase, db, entry, err);

    for (int i = 0; i < ENTRY_DICT_COUNT && rc == LB_OK; i++) {
        if (entry->dict[i] != 0) {
            rc = db_run_number(db, SQL_ERASE_NOTE_DICT, entry->dict[i], err);
        }
    }
    rc = rc == LB_OK ? db_run_number(db, SQL_ERASE_CONTACT, entry->seq, err)
                     : rc;
    if (rc == LB_OK) {
        erase->counts.contacts += sqlite3_changes(db_handle(db));
        rc = log_change_erase(db, entry->seq, err);
    }
    erase->counts.events += rc == LB_OK ? 1 : 0;
    return rc;
}

static enum lb_err remove_event(struct erase *erase,
                                struct db *db,
                                const struct entry *entry,
                                int64_t cursor,
                                struct lb_error *err)
{
    const struct catalog_site *site =
        catalog_site_by_number(erase->catalog, entry->site);
    enum lb_err rc = LB_OK;

    if (entry->seq <= cursor) {
        rc = erase->hooks.uncount(erase->hooks.rollups, db, entry, err);
        erase->hooks.unsee(erase->hooks.rules, entry);
    }
    /* A site that goes whole loses its alerts as such. */
    if (rc == LB_OK && site != NULL &&
        (!erase_is_whole_site(erase) ||
         erase->order.before_at_ms != INT64_MAX)) {
        rc = scrub_alerts(erase, db, SQL_ERASE_ALERTS_OF_EVENT,
                          entry->text[ENTRY_TEXT_ID], site->id, err);
    }
    return rc == LB_OK ? remove_rows(erase, db, entry, err) : rc;
}

/* Reads the event and removes it; one that is gone is no fault. */
static enum lb_err remove_one(struct erase *erase,
                              struct db *db,
                              const struct erase_found *one,
                              struct lb_error *err)
{
    const struct entry *entry = NULL;
    int64_t cursor = 0;
    enum lb_err rc = db_meta_get(db, "cursor", 0, &cursor, err);

    rc = rc == LB_OK ? log_lookup_event(erase->lookup, db, one->seq, one->site,
                                        &entry, err)
                     : rc;
    return rc == LB_OK && entry != NULL
               ? remove_event(erase, db, entry, cursor, err)
               : rc;
}

/* The visitor's places other than events: map, rule state, groups of alerts. */
static enum lb_err forget_visitor(struct erase *erase,
                                  struct db *db,
                                  const struct erase_visitor *one,
                                  struct lb_error *err)
{
    const struct catalog_site *site =
        catalog_site_by_number(erase->catalog, one->site);
    sqlite3_stmt *stmt = db_stmt(db, SQL_ERASE_VISITOR_HASH);
    char group[64];
    enum lb_err rc;

    (void)snprintf(group, sizeof(group), "%lld.%lld", (long long)one->day,
                   (long long)one->number);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, one->hash_seq);
        (void)sqlite3_bind_int64(stmt, 2, one->salt);
        (void)sqlite3_bind_int64(stmt, 3, one->number);
    }
    rc = db_run(db, stmt, err);
    stmt = db_stmt(db, SQL_ERASE_RULE_STATE);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, one->site);
        db_bind_text(stmt, 2, group);
    }
    rc = rc == LB_OK ? db_run(db, stmt, err) : rc;
    if (rc == LB_OK && site != NULL) {
        rc = scrub_alerts(erase, db, SQL_ERASE_ALERTS_OF_VISITOR, group,
                          site->id, err);
    }
    erase->hooks.forget_visitor(erase->hooks.events, one->site, one->day,
                                one->number);
    erase->hooks.forget_groups(erase->hooks.rules, one->site, group);
    return rc;
}

/* A piece of what a whole site has besides events. */
static enum lb_err
forget_site(struct erase *erase, struct db *db, struct lb_error *err)
{
    static const enum sql_query by_id[] = {
        SQL_ERASE_SITE_ATTEMPTS, SQL_ERASE_SITE_OUTBOX, SQL_ERASE_SITE_MESSAGES,
        SQL_ERASE_SITE_ALERTS};
    static const enum sql_query by_number[] = {
        SQL_ERASE_SITE_HASHES,        SQL_ERASE_SITE_SALTS,
        SQL_ERASE_SITE_VALUES,        SQL_ERASE_SITE_RULE_STATE,
        SQL_ERASE_SITE_RULE_GATHERED, SQL_ERASE_SITE_RULE_SEEN,
        SQL_ERASE_SITE_RULE_SLOTS,    SQL_ERASE_SITE_RULE_BASELINES,
        SQL_ERASE_SITE_RULE_CROWD,    SQL_ERASE_SITE_REFUSED,
        SQL_ERASE_SITE_COVERAGE};
    enum lb_err rc = LB_OK;

    if (erase->next_table < 4) {
        sqlite3_stmt *stmt = db_stmt(db, by_id[erase->next_table]);
        int64_t changed;

        if (stmt != NULL) {
            db_bind_text(stmt, 1, erase->order.site);
            (void)sqlite3_bind_int64(stmt, 2, erase->order.before_at_ms);
            (void)sqlite3_bind_int(stmt, 3, SITE_STEP);
        }
        rc = db_run(db, stmt, err);
        changed = rc == LB_OK ? sqlite3_changes(db_handle(db)) : 0;
        erase->counts.messages += erase->next_table == 2 ? changed : 0;
        erase->counts.alerts += erase->next_table == 3 ? changed : 0;
        erase->next_table += changed == 0 ? 1 : 0;
        return rc;
    }
    erase->next_table = SIZE_MAX;
    for (size_t i = 0; i < erase->site_count && rc == LB_OK &&
                       erase->order.before_at_ms == INT64_MAX;
         i++) {
        for (size_t j = 0;
             j < sizeof(by_number) / sizeof(by_number[0]) && rc == LB_OK; j++) {
            rc = db_run_number(db, by_number[j], erase->sites[i], err);
        }
        erase->hooks.forget_site(erase->hooks.events, erase->sites[i]);
        erase->hooks.forget_groups(erase->hooks.rules, erase->sites[i], NULL);
    }
    return rc;
}

enum lb_err erase_step(struct erase *erase,
                       struct db *db,
                       bool *is_over_out,
                       struct lb_error *err)
{
    struct erase before = *erase;
    int64_t until_ns = lb_clock_mono_ns() + STEP_NS;
    enum lb_err rc = LB_OK;

    *is_over_out = false;
    if (erase->done_count < erase->found_count) {
        for (int i = 0; i < ERASE_BATCH && rc == LB_OK &&
                        erase->done_count < erase->found_count &&
                        lb_clock_mono_ns() < until_ns;
             i++) {
            const struct erase_found *one = &erase->found[erase->done_count++];

            rc = one->is_engagement
                     ? db_run_number(db, SQL_ERASE_ENTRY, one->seq, err)
                     : remove_one(erase, db, one, err);
        }
    } else if (erase->next_visitor < erase->visitor_count) {
        rc = forget_visitor(erase, db, &erase->visitors[erase->next_visitor++],
                            err);
    } else if (erase_is_whole_site(erase) && erase->next_table != SIZE_MAX) {
        rc = forget_site(erase, db, err);
    } else {
        *is_over_out = true;
    }
    if (rc != LB_OK) {
        *erase = before; /* the transaction is undone; what is owned is same */
    }
    return rc;
}
