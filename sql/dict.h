/* dict.h - the dictionary shared by all events: short closed lists (link,
 * source, place, device, utm_source, utm_medium, utm_campaign, ...) as numbers.
 * Numbers are never reused.  One for the writer (interns, memory follows
 * commits), one for each reader (only looks up). */
#ifndef LINKBELL_SQL_DICT_H
#define LINKBELL_SQL_DICT_H

#include <stdint.h>

#include "base/err.h"
#include "sql/db.h"
#include "sql/entry.h"
#include "sql/writer.h"

struct dict;

/* The writer's: registers as a member of the writer, so that what a transaction
 * interned falls back with it. */
LB_MUST_CHECK enum lb_err
dict_new(struct writer *writer, struct dict **dict_out, struct lb_error *err);
void dict_free(struct dict *dict);

/* Writer thread: the number of text in column, made when new.  text NULL: 0. */
LB_MUST_CHECK enum lb_err dict_intern(struct dict *dict,
                                      struct db *db,
                                      enum entry_dict column,
                                      const char *text,
                                      int64_t *number_out,
                                      struct lb_error *err);

/* Writer thread: the text of a number; NULL for 0.  Good until the transaction
 * ends. */
const char *dict_text(const struct dict *dict, int64_t number);

/* Writer thread: the row of number is gone with this transaction. */
void dict_forget(struct dict *dict, int64_t number);
/* How many rows went so, of any dictionary; any thread. */
uint64_t dict_forgotten(void);

/* A connection's own cache of number to text, for readers and for the writer's
 * reading of the log; freed with dict_cache_free(). */
struct dict_cache;
struct dict_cache *dict_cache_new(void); /* NULL: out of memory */
void dict_cache_free(struct dict_cache *cache);
void dict_cache_clear(struct dict_cache *cache);
/* Memory that it takes; 0 for NULL. */
size_t dict_cache_bytes(const struct dict_cache *cache);
/* Text of a number, good until the cache is freed; NULL for 0, for an unknown
 * number, or out of memory. */
const char *
dict_cache_text(struct dict_cache *cache, struct db *db, int64_t number);
/* Number of a text in column, 0 when no event ever had it. */
LB_MUST_CHECK enum lb_err dict_find(struct db *db,
                                    enum entry_dict column,
                                    const char *text,
                                    int64_t *number_out,
                                    struct lb_error *err);

#endif
