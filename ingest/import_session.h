/* import_session.h - what the service keeps of an import while it runs.  The
 * loop thread's; one request of a session at a time. */
#ifndef LINKBELL_INGEST_IMPORT_SESSION_H
#define LINKBELL_INGEST_IMPORT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_server.h"
#include "ingest/event_store.h"
#include "sql/pool.h"

#define IMPORT_SESSIONS 4 /* imports at the same time */

struct import_sessions;
struct import_session;

struct import_sessions *import_sessions_new(void); /* NULL: out of memory */
void import_sessions_free(struct import_sessions *sessions);

bool import_session_is_name(const char *name); /* NULL is none */
/* The session of that name, made when new and now busy; NULL: too many, or it
 * is busy. */
struct import_session *import_session_take(struct import_sessions *sessions,
                                           const char *name,
                                           int64_t double_tap_window_ms);
void import_session_release(struct import_sessions *sessions,
                            struct import_session *session,
                            bool is_over);
struct event_session *import_session_events(struct import_session *session);
const char *import_session_name(const struct import_session *session);

/* Serves POST /v1/import/ids?session=: the body's lines are SITE TAB ID, a
 * million at most; those that the log knows are known to the session from now
 * on. */
void import_session_scan(struct import_sessions *sessions,
                         struct lb_http_request *request,
                         struct pool *readers,
                         const uint8_t id_key[16],
                         int64_t double_tap_window_ms);

#endif
