/* visitor.h - who an event comes from, without keeping who: a keyed hash of
 * site, address and user agent under a salt that lives for one period of the
 * site, and dense numbers in place of the hashes.  Hashing is for any thread,
 * numbers are the writer thread's and follow its commits. */
#ifndef LINKBELL_INGEST_VISITOR_H
#define LINKBELL_INGEST_VISITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"
#include "sql/catalog.h"
#include "sql/writer.h"

#define VISITOR_AGENT_BYTES 1024 /* of a user agent count */
#define VISITOR_IMPORT_BYTES 40

enum visitor_period { VISITOR_DAY, VISITOR_WEEK, VISITOR_MONTH };

struct visitors;
struct visitor_salt; /* good until 72 hours after its period */

LB_MUST_CHECK enum lb_err visitor_new(struct writer *writer,
                                      struct visitors **visitors_out,
                                      struct lb_error *err);
void visitor_free(struct visitors *visitors);
void visitor_set_period(struct visitors *visitors, enum visitor_period period);
/* The same by the setting's word: "day", "week" or "month". */
void visitor_set_period_name(struct visitors *visitors, const char *name);

/* The salt of a site's period that holds ts.  import "" for live events, else
 * the import's name.  Made from random bytes when new.  NULL: out of memory. */
struct visitor_salt *visitor_salt_of(struct visitors *visitors,
                                     const struct catalog_site *site,
                                     int64_t ts_at_ms,
                                     const char *import);
int64_t visitor_salt_day(const struct visitor_salt *salt);

/* HMAC-SHA256(salt, site id, 0, kind, address, 0, user agent), first 8 bytes.
 * IPv4 is kind '4' with 4 bytes, IPv6 kind '6' with the 8 bytes of its /64. */
uint64_t visitor_hash_address(const struct visitor_salt *salt,
                              const char *site_id,
                              const struct lb_ip *address,
                              const char *agent);
/* The same of the visitor id that a back end gave: kind 'v'. */
uint64_t visitor_hash_given(const struct visitor_salt *salt,
                            const char *site_id,
                            const char *given);

/* Writer thread: the number of hash will be asked for soon. */
void visitor_expect(const struct visitor_salt *salt, uint64_t hash);
/* Writer thread: the number, from 1, of a hash under its salt. */
LB_MUST_CHECK enum lb_err visitor_number(struct visitors *visitors,
                                         struct db *db,
                                         struct visitor_salt *salt,
                                         uint64_t hash,
                                         int64_t *number_out,
                                         struct lb_error *err);

/* Writer thread: the same for a hash that has a number already; else 0. */
int64_t visitor_known_number(const struct visitor_salt *salt, uint64_t hash);

/* The hash under a salt's 32 bytes alone, for finding one of them again. */
uint64_t visitor_hash_salted(const uint8_t *salt,
                             const char *site_id,
                             const char *given);
/* Writer thread: takes a visitor out of the maps of its period; with number 0
 * the maps of a whole site, whose salts are then saved anew. */
void visitor_forget(struct visitors *visitors,
                    int64_t site,
                    int64_t day,
                    int64_t number);

/* Writer thread, inside a job: forgets the salts of an import that ran to its
 * end, a step of them; *has_more_out tells whether another one is due. */
LB_MUST_CHECK enum lb_err visitor_end_import(struct visitors *visitors,
                                             struct db *db,
                                             const char *import,
                                             bool *has_more_out,
                                             struct lb_error *err);

/* A chore (writer.h): takes away hashes whose salt is gone. */
bool visitor_sweep(void *visitors, struct db *db);

#endif
