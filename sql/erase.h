/* erase.h - forgetting a person or a site: what is to go is found on a reader,
 * piece by piece, and removed by the writer in short transactions, each whole
 * in itself: an event goes together with its contact, its counts and what its
 * alerts and messages say.  So it may be broken off anywhere and begun again.
 */
#ifndef LINKBELL_SQL_ERASE_H
#define LINKBELL_SQL_ERASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/catalog.h"
#include "sql/db.h"
#include "sql/dict.h"
#include "sql/entry.h"
#include "sql/log_lookup.h"

#define ERASE_SITES 16         /* that had one id */
#define ERASE_BATCH 16         /* events of one transaction */
#define ERASE_PIECE_SEQS 65536 /* log numbers read in one snapshot */

/* Keyed hash of an address, trimmed and folded (ASCII); never 0. */
uint64_t erase_email_hash(const uint8_t key[16], const char *email);

/* What others remember of an event; on the writer thread, inside the
 * transaction that removes it.  main.c fills them in. */
struct erase_hooks {
    void *rollups;
    enum lb_err (*uncount)(void *rollups,
                           struct db *db,
                           const struct entry *entry,
                           struct lb_error *err);
    void *events;
    const uint8_t *id_key; /* 16 bytes, of hashed addresses; borrowed */
    void (*forget_visitor)(void *events,
                           int64_t site,
                           int64_t day,
                           int64_t visitor);
    void (*forget_site)(void *events, int64_t site);
    /* The hash under a salt (32 bytes) of what a client gave as visitor. */
    uint64_t (*hash_given)(const uint8_t *salt,
                           const char *site_id,
                           const char *given);
    void *rules;
    /* An event that was decided is gone. */
    void (*unsee)(void *rules, const struct entry *entry);
    /* Groups that name the visitor ("DAY.NUMBER"; NULL: all of the site). */
    void (*forget_groups)(void *rules, int64_t site, const char *visitor);
    struct dict *dict;
};

/* What is asked for: exactly one of visitor, email or the site alone. */
struct erase_order {
    const char *visitor; /* NULL: none */
    const char *email;
    const char *site;
    int64_t before_at_ms; /* events with ts before; INT64_MAX: all */
};

struct erase_counts {
    int64_t events;
    int64_t contacts;
    int64_t alerts;
    int64_t messages;
};

/* One erasure on its way; its parts are for erase*.c alone. */
struct erase_visitor {
    int64_t site;
    int64_t day;
    int64_t number;
    int64_t hash_seq; /* of its row among the hashes; 0: none */
    int64_t salt;
};

struct erase_found {
    int64_t seq;
    int64_t site;
    int64_t day; /* local, of ts */
    bool is_engagement;
};

struct erase {
    struct erase_order order;
    const struct catalog *catalog; /* borrowed */
    struct erase_hooks hooks;
    struct erase_counts counts;
    struct log_lookup *lookup; /* owned; the writer thread's */
    uint64_t email_hash;
    int64_t sites[ERASE_SITES]; /* of --site alone, or of a narrowing */
    size_t site_count;
    struct erase_visitor *visitors; /* owned */
    size_t visitor_count;
    struct erase_found *found; /* owned; what goes */
    size_t found_count;
    size_t found_cap;
    size_t done_count;
    size_t next_visitor; /* whose map is forgotten next */
    size_t next_table;   /* of a whole site */
    int64_t after_seq;
    int64_t texts_after_seq;
    int64_t *texts;     /* owned; candidates, in order */
    bool *is_text_used; /* owned; one for each of texts */
    size_t text_count;
    bool is_text_read;
};

LB_MUST_CHECK enum lb_err erase_new(const struct erase_order *order,
                                    const struct catalog *catalog,
                                    const struct erase_hooks *hooks,
                                    struct erase **erase_out,
                                    struct lb_error *err);
void erase_free(struct erase *erase); /* NULL is fine */
const struct erase_counts *erase_counts(const struct erase *erase);
bool erase_is_whole_site(const struct erase *erase);

/* In a writer's job of its own: removes the next batch of what was found. */
LB_MUST_CHECK enum lb_err erase_step(struct erase *erase,
                                     struct db *db,
                                     bool *is_over_out,
                                     struct lb_error *err);

#endif
