/* client_memo.h - what was found out about the clients of one batch: a page
 * brings a dozen lines of a log from one address and user agent, and looking
 * them up each time is a fifth of reading a line.  It lives no longer than the
 * batch, in its arena; address and user agent go with it.  For the one thread
 * that reads the batch. */
#ifndef LINKBELL_INGEST_CLIENT_MEMO_H
#define LINKBELL_INGEST_CLIENT_MEMO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/ip.h"
#include "ingest/agent_cache.h"
#include "ingest/visitor.h"

struct client_memo;

/* In arena, which it may fill further; NULL: the arena is full. */
struct client_memo *client_memo_new(struct lb_arena *arena);

/* As visitor_salt_of(); memo NULL: nothing is remembered.  One memo knows one
 * import. */
struct visitor_salt *client_memo_salt(struct client_memo *memo,
                                      struct visitors *visitors,
                                      const struct catalog_site *site,
                                      int64_t ts_at_ms,
                                      const char *import);

struct client_memo_key {
    const struct lb_ip *address;
    const char *agent;
    const struct visitor_salt *salt; /* NULL: the hash is not asked for */
};

/* What follows from the key alone.  Texts lie in the arena; NULL: unknown. */
struct client_facts {
    struct agent_answer answer;
    const char *country;
    const char *region;
    const char *city;
    uint64_t visitor_hash;
};

/* The facts of a client, to be filled unless *is_known_out says that they are;
 * good until the next call.  NULL: the arena is full. */
struct client_facts *client_memo_find(struct client_memo *memo,
                                      const struct client_memo_key *key,
                                      bool *is_known_out);

struct lb_arena *client_memo_arena(const struct client_memo *memo);

#endif
