/* import_session.h - an import while it runs: its requests in the order of
 * their numbers, whatever order they come or are read in, and their way into
 * the log, in groups that give way to live events.  The loop thread's. */
#ifndef LINKBELL_INGEST_IMPORT_SESSION_H
#define LINKBELL_INGEST_IMPORT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_server.h"
#include "ingest/import_batch.h"
#include "ingest/intake.h"

#define IMPORT_SESSIONS 4       /* imports at the same time */
#define IMPORT_GROUP_EVENTS 250 /* appended before a live event's turn */
#define IMPORT_GROUPS 16        /* of one transaction, if no live event comes */

struct import_sessions;
struct import_session;

struct import_sessions *
import_sessions_new(struct intake *intake); /* NULL: out of memory */
void import_sessions_free(struct import_sessions *sessions);

bool import_session_is_name(const char *name); /* NULL is none */

/* Begins a run of an import: the ids of the log are read unless they are there
 * for another, then it answers with the number of the run. */
void import_session_start(struct import_sessions *sessions,
                          struct lb_http_request *http,
                          const char *name);

/* Where a request stands: its number in the run, from 0. */
struct import_place {
    const char *name;
    int64_t run; /* as the answer to the start has it */
    size_t number;
    bool is_last; /* the import is then over */
};

/* Takes a request with records.  Answers it when its events are durable. */
void import_session_take(struct import_sessions *sessions,
                         struct lb_http_request *http,
                         const struct import_place *place);

/* Any thread: whether records wait to be appended. */
bool import_sessions_are_busy(const struct import_sessions *sessions);

#endif
