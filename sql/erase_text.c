/* erase_text.c - texts of the dictionary that nobody has any more. */
#include "sql/erase_text.h"

#include <stdlib.h>
#include <string.h>

#include "sql/log_store.h"

static enum lb_err
read_texts(struct erase *erase, struct db *db, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ERASE_DICT_NOTED);
    bool has_row = false;
    enum lb_err rc;

    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        int64_t *texts = realloc(erase->texts, (erase->text_count + 1) *
                                                   sizeof(*erase->texts));

        if (texts == NULL) {
            (void)sqlite3_reset(stmt);
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        erase->texts = texts;
        texts[erase->text_count++] = sqlite3_column_int64(stmt, 0);
    }
    erase->is_text_read = true;
    erase->is_text_used = calloc(erase->text_count + 1, sizeof(bool));
    return rc == LB_OK && erase->is_text_used == NULL
               ? lb_err_set(err, LB_ENOMEM, "out of memory")
               : rc;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static void mark_used(struct erase *erase, int64_t number)
{
    const int64_t *at = bsearch(&number, erase->texts, erase->text_count,
                                sizeof(*erase->texts), compare);

    if (at != NULL) {
        erase->is_text_used[at - erase->texts] = true;
    }
}

static enum lb_err mark_range(struct erase *erase,
                              struct db *db,
                              int64_t upto_seq,
                              struct lb_error *err)
{
    struct log_range range = {.after_seq = erase->texts_after_seq,
                              .upto_seq = upto_seq,
                              .from_at_ms = INT64_MIN,
                              .to_at_ms = INT64_MAX};
    struct dict_cache *cache = dict_cache_new();
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    enum lb_err rc = cache == NULL
                         ? lb_err_set(err, LB_ENOMEM, "out of memory")
                         : log_reader_open(db, cache, &range, &reader, err);

    while (rc == LB_OK &&
           (rc = log_reader_next(reader, &entry, err)) == LB_OK &&
           entry != NULL) {
        for (int i = 0; i < ENTRY_DICT_COUNT; i++) {
            mark_used(erase, entry->dict[i]);
        }
    }
    log_reader_close(reader);
    dict_cache_free(cache);
    return rc;
}

enum lb_err erase_text_find(struct erase *erase,
                            struct db *db,
                            bool *is_over_out,
                            struct lb_error *err)
{
    int64_t upto_seq = erase->texts_after_seq + ERASE_PIECE_SEQS;
    int64_t next_seq = 0;
    enum lb_err rc = db_meta_get(db, "next_seq", 1, &next_seq, err);

    *is_over_out = true;
    rc = rc == LB_OK && !erase->is_text_read ? read_texts(erase, db, err) : rc;
    if (rc != LB_OK || erase->text_count == 0) {
        return rc;
    }
    upto_seq = upto_seq >= next_seq ? next_seq - 1 : upto_seq;
    rc = mark_range(erase, db, upto_seq, err);
    erase->texts_after_seq = upto_seq;
    *is_over_out = rc != LB_OK || upto_seq >= next_seq - 1;
    return rc;
}

enum lb_err
erase_text_drop(struct erase *erase, struct db *db, struct lb_error *err)
{
    enum lb_err rc =
        erase->text_count == 0 ? LB_OK : mark_range(erase, db, INT64_MAX, err);

    for (size_t i = 0; i < erase->text_count && rc == LB_OK; i++) {
        int64_t number = erase->texts[i];

        if (!erase->is_text_used[i]) {
            rc = db_run_number(db, SQL_ERASE_DICT_TEXT, number, err);
            dict_forget(erase->hooks.dict, number);
        }
        rc = rc == LB_OK ? db_run_number(db, SQL_ERASE_DICT_DONE, number, err)
                         : rc;
    }
    return rc;
}
