/* import_session.c - requests in order, groups into the log. */
#include "ingest/import_session.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "ingest/import_store.h"

#define NAME_BYTES 32
#define FORGOTTEN_MS LB_MS_PER_HOUR /* an import that is still gives way */
#define ALIVE_MS (2 * LB_MS_PER_S)  /* whoever sent that lately, still does */
#define WINDOW 64 /* requests that may wait for the one before them */

/* Read on the pool, appended by the writer. */
struct import_request {
    struct import_request *next; /* the one after it in its list */
    struct pool_job read;
    struct import_session *session;
    struct lb_http_request *http;
    struct event_context context;
    struct import_batch batch;
    size_t number;
    size_t appended; /* events that are in the log */
    bool is_last;
    bool is_done; /* all that it asks for is in the log, or out of it */
    bool is_read;
};

struct import_session {
    char name[NAME_BYTES + 1]; /* "": a free place */
    struct import_sessions *sessions;
    struct import_store *store;     /* owned; NULL: it has not begun */
    struct import_request *waiting; /* owned; by number, some not read so far */
    /* Owned; the writer thread's while is_appending. */
    struct import_request *appending;
    struct writer_job append;
    struct pool_job look;
    struct lb_http_request *starting; /* waits for the log to be read */
    bool is_look_over;                /* the pool's word for is_looked */
    enum lb_err look_rc;
    struct lb_error look_err;
    bool is_looked; /* the log is read */
    int64_t run;    /* number of the run */
    size_t next;    /* number of the request that is appended next */
    size_t reading; /* requests on the pool */
    size_t count;   /* requests that wait */
    bool is_appending;
    bool is_stopped; /* a bad record under --strict */
    bool is_failed;
    bool is_over;
    int64_t used_at_ms; /* monotonic */
};

struct import_sessions {
    struct intake *intake;
    struct intake_parts parts;
    int64_t run_count;
    /* Of all that run: read for the first of them, gone with the last. */
    struct import_ids ids;
    bool is_reading;             /* the ids */
    bool is_ready;               /* they are read, and hold */
    atomic_size_t request_count; /* of all sessions */
    struct import_session sessions[IMPORT_SESSIONS];
};

struct import_sessions *import_sessions_new(struct intake *intake)
{
    struct import_sessions *sessions = calloc(1, sizeof(*sessions));

    if (sessions != NULL) {
        sessions->intake = intake;
        sessions->parts = *intake_parts(intake);
    }
    return sessions;
}

static void free_request(struct import_request *request)
{
    import_batch_deinit(&request->batch);
    intake_release(&request->context);
    (void)atomic_fetch_sub(&request->session->sessions->request_count, 1);
    free(request);
}

static void free_requests(struct import_request *request)
{
    while (request != NULL) {
        struct import_request *next = request->next;

        free_request(request);
        request = next;
    }
}

void import_sessions_free(struct import_sessions *sessions)
{
    for (size_t i = 0; sessions != NULL && i < IMPORT_SESSIONS; i++) {
        free_requests(sessions->sessions[i].waiting);
        free_requests(sessions->sessions[i].appending);
        import_store_free(sessions->sessions[i].store);
    }
    if (sessions != NULL) {
        id_set_deinit(&sessions->ids.known);
    }
    free(sessions);
}

/* The import keeps nothing any more; the ids go with the last one. */
static void release(struct import_session *session)
{
    struct import_sessions *sessions = session->sessions;

    import_store_free(session->store);
    session->store = NULL;
    for (size_t i = 0; i < IMPORT_SESSIONS; i++) {
        if (sessions->sessions[i].store != NULL) {
            return;
        }
    }
    id_set_deinit(&sessions->ids.known);
    sessions->ids.read_seq = 0;
    sessions->is_ready = false;
}

bool import_session_is_name(const char *name)
{
    return name != NULL && lb_text_is_made_of(name, "0-9A-Za-z", NAME_BYTES);
}

/* Nothing of it is on another thread. */
static bool is_still(const struct import_session *session)
{
    return !session->is_appending && session->reading == 0 &&
           session->starting == NULL;
}

bool import_sessions_are_busy(const struct import_sessions *sessions)
{
    return atomic_load(&sessions->request_count) > 0;
}

static void respond_busy(struct lb_http_request *http, const char *message)
{
    lb_http_respond_header(http, "Retry-After", "1");
    lb_http_respond_error(http, 503, "overloaded", message, NULL);
}

/* --- answers --------------------------------------------------------------
 */

static void respond_ok(struct import_request *request)
{
    struct lb_buf answer;

    lb_buf_init(&answer, (size_t)1024 * 1024);
    import_batch_answer(&request->batch, &answer);
    lb_http_respond_json(request->http, 200, &answer);
    lb_buf_deinit(&answer);
}

/* All that wait: the import is over and may be run again. */
static void refuse_waiting(struct import_session *session,
                           int status,
                           const char *code,
                           const char *message)
{
    struct import_request **at = &session->waiting;

    while (*at != NULL) {
        struct import_request *request = *at;

        if (!request->is_read) {
            at = &request->next; /* its turn comes when it is read */
            continue;
        }
        *at = request->next;
        session->count--;
        lb_http_respond_error(request->http, status, code, message, NULL);
        free_request(request);
    }
}

static void refuse_stopped(struct import_session *session)
{
    refuse_waiting(session, 409, "stopped",
                   session->is_failed ? "The import failed; run it again."
                                      : "A bad record ended the import.");
}

/* --- the writer's part ----------------------------------------------------
 */

/* What a request asks for besides its events: the last one ends the import, a
 * step a transaction. */
static enum lb_err end_request(struct import_session *session,
                               struct import_request *request,
                               struct db *db,
                               struct lb_error *err)
{
    bool has_more = false;
    enum lb_err rc = request->is_last
                         ? visitor_end_import(session->sessions->parts.visitors,
                                              db, session->name, &has_more, err)
                         : LB_OK;

    request->is_done = !has_more;
    return rc;
}

/* Appends a group at a time until all is done, enough is in one transaction, or
 * a live event waits. */
static enum lb_err
run_append(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct import_session *session =
        (struct import_session *)((char *)job -
                                  offsetof(struct import_session, append));
    const struct intake_parts *parts = &session->sessions->parts;
    struct import_request *request = session->appending;
    size_t sum = 0;
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && request != NULL &&
           sum < (size_t)IMPORT_GROUPS * IMPORT_GROUP_EVENTS &&
           (sum == 0 || !writer_is_awaited(parts->writer))) {
        struct batch *batch = &request->batch.batch;
        size_t count = batch->event_count - request->appended;

        count = count > IMPORT_GROUP_EVENTS ? IMPORT_GROUP_EVENTS : count;
        if (count > 0) {
            const struct event_batch group = {
                batch->events + request->appended,
                batch->is_duplicate + request->appended, count, session->store};

            rc = event_store_append(parts->store, db, &group, err);
        }
        request->appended += count;
        sum += count;
        if (rc != LB_OK || request->appended < batch->event_count) {
            continue;
        }
        rc = end_request(session, request, db, err);
        if (!request->is_done) {
            break;
        }
        request = request->next;
    }
    return rc;
}

static void advance(struct import_session *session);

/* The ids hold some that were not stored: whoever uses them may not go on. */
static void spoil(struct import_sessions *sessions)
{
    sessions->is_ready = false;
    for (size_t i = 0; i < IMPORT_SESSIONS; i++) {
        if (sessions->sessions[i].store != NULL) {
            sessions->sessions[i].is_failed = true;
            advance(&sessions->sessions[i]);
        }
    }
}

/* The import is over and may be run again. */
static void
fail(struct import_session *session, enum lb_err rc, const struct lb_error *err)
{
    const char *code = rc == LB_EFULL ? "disk_full" : "not_ready";
    const char *message =
        rc == LB_EFULL
            ? "The disk is full; free some space and run the import again."
            : "The database can't be written now; run the import again.";

    lb_log_limited(LB_LOG_ERROR, "import_failed", "text=\"%s\"", err->text);
    if (rc == LB_EFULL) {
        lb_metrics_limit_hit("disk_reserve");
    }
    session->is_failed = true;
    while (session->appending != NULL) {
        struct import_request *request = session->appending;

        session->appending = request->next;
        lb_http_respond_error(request->http, 503, code, message, NULL);
        free_request(request);
    }
    refuse_waiting(session, 503, code, message);
    spoil(session->sessions);
}

static void
done_append(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct import_session *session =
        (struct import_session *)((char *)job -
                                  offsetof(struct import_session, append));
    struct import_request *request;

    session->is_appending = false;
    session->used_at_ms = lb_clock_mono_ms();
    if (rc != LB_OK) {
        fail(session, rc, err);
        return;
    }
    while ((request = session->appending) != NULL && request->is_done) {
        session->appending = request->next;
        session->is_over = session->is_over || request->is_last;
        intake_count(session->sessions->intake, request->batch.batch.events,
                     request->batch.batch.is_duplicate,
                     request->batch.batch.event_count);
        respond_ok(request);
        free_request(request);
    }
    advance(session);
}

/* --- in order -------------------------------------------------------------
 */

static struct import_request **end_of(struct import_request **list)
{
    while (*list != NULL) {
        list = &(*list)->next;
    }
    return list;
}

/* Hands what is next and read to the writer; what is over is forgotten. */
static void advance(struct import_session *session)
{
    struct import_request **end;

    if (session->is_appending) {
        return;
    }
    if (session->is_failed) {
        release(session);
        refuse_stopped(session);
        return;
    }
    end = end_of(&session->appending);
    while (session->waiting != NULL && session->waiting->is_read &&
           session->waiting->number == session->next && !session->is_stopped) {
        struct import_request *request = session->waiting;

        session->waiting = request->next;
        session->count--;
        session->next++;
        session->is_stopped = request->batch.is_stopped;
        request->next = NULL;
        *end = request;
        end = &request->next;
    }
    if (session->is_stopped) {
        refuse_stopped(session);
    }
    if (session->appending != NULL) {
        session->is_appending = true;
        session->append.run = run_append;
        session->append.done = done_append;
        session->append.is_append = true;
        session->append.is_background = true;
        if (writer_submit(session->sessions->parts.writer, &session->append) !=
            LB_OK) {
            session->is_appending = false;
            fail(session, LB_ELIMIT, &session->append.err);
        }
    } else if (session->is_over && session->waiting == NULL &&
               session->reading == 0) {
        release(session);
        session->name[0] = '\0';
    }
}

static void run_read(struct pool_job *job, struct db *db)
{
    struct import_request *request =
        (struct import_request *)((char *)job -
                                  offsetof(struct import_request, read));
    struct lb_buf *body = lb_http_request_body(request->http);

    (void)db;
    import_batch_read(&request->batch, &request->context, lb_buf_text(body),
                      body->len);
}

/* A request that can't be read fails the import: its records would be missing.
 */
static void refuse_request(struct import_request *request)
{
    struct import_session *session = request->session;
    const struct batch *batch = &request->batch.batch;

    for (struct import_request **at = &session->waiting; *at != NULL;
         at = &(*at)->next) {
        if (*at == request) {
            *at = request->next;
            session->count--;
            break;
        }
    }
    session->is_failed = true;
    lb_http_respond_error(request->http, batch->status == 503 ? 500 : 400,
                          batch->code, batch->message, NULL);
    free_request(request);
}

static void
done_read(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct import_request *request =
        (struct import_request *)((char *)job -
                                  offsetof(struct import_request, read));
    struct import_session *session = request->session;

    (void)rc;
    (void)err;
    session->reading--;
    request->is_read = true;
    lb_http_request_drop_body(request->http);
    if (request->batch.batch.status != 0) {
        refuse_request(request);
    }
    advance(session);
}

static struct import_session *find(struct import_sessions *sessions,
                                   const char *name)
{
    for (size_t i = 0; i < IMPORT_SESSIONS; i++) {
        if (strcmp(sessions->sessions[i].name, name) == 0) {
            return &sessions->sessions[i];
        }
    }
    return NULL;
}

/* Whether the session takes a request; else it is answered. */
static bool may_take(const struct import_session *session,
                     struct lb_http_request *http,
                     const struct import_place *place)
{
    const char *reason = NULL;

    if (session == NULL || !session->is_looked) {
        lb_http_respond_error(http, 404, "no_import",
                              "The service knows nothing of this import; run "
                              "it again.",
                              NULL);
        return false;
    }
    if (session->run != place->run) {
        reason = "Another import of this file has begun.";
    } else if (session->is_failed) {
        reason = "The import failed; run it again.";
    } else if (session->is_stopped || place->number < session->next) {
        reason = "The import has ended.";
    }
    if (reason != NULL) {
        lb_http_respond_error(http, 409, "stopped", reason, NULL);
        return false;
    }
    if (session->count >= WINDOW) {
        respond_busy(http, "Too many requests of this import wait.");
        return false;
    }
    return true;
}

void import_session_take(struct import_sessions *sessions,
                         struct lb_http_request *http,
                         const struct import_place *place)
{
    struct import_session *session = find(sessions, place->name);
    struct import_request **at;
    struct import_request *request;

    if (!may_take(session, http, place)) {
        return;
    }
    request = calloc(1, sizeof(*request));
    if (request == NULL) {
        respond_busy(http, "Out of memory.");
        return;
    }
    import_batch_init(&request->batch);
    intake_fill_context(sessions->intake, auth_who_of(http)->catalog, http,
                        &request->context);
    request->context.referrer = NULL;
    request->context.is_private = false;
    request->context.import = session->name;
    (void)atomic_fetch_add(&sessions->request_count, 1);
    request->session = session;
    request->http = http;
    request->number = place->number;
    request->is_last = place->is_last;
    at = &session->waiting;
    while (*at != NULL && (*at)->number < place->number) {
        at = &(*at)->next;
    }
    request->next = *at;
    *at = request;
    session->count++;
    session->reading++;
    session->used_at_ms = lb_clock_mono_ms();
    request->read.run = run_read;
    request->read.done = done_read;
    pool_submit(sessions->parts.parsers, &request->read);
}

/* --- the start ------------------------------------------------------------
 */

static void run_look(struct pool_job *job, struct db *db)
{
    struct import_session *session =
        (struct import_session *)((char *)job -
                                  offsetof(struct import_session, look));

    session->look_rc = import_store_read_ids(
        &session->sessions->ids, db,
        event_store_id_key(session->sessions->parts.store),
        &session->is_look_over, &session->look_err);
}

static void begin(struct import_session *session)
{
    struct lb_http_request *http = session->starting;
    struct lb_buf answer;

    session->starting = NULL;
    session->is_looked = true;
    lb_buf_init(&answer, 64);
    lb_buf_printf(&answer, "{\"run\":%lld}", (long long)session->run);
    lb_http_respond_json(http, 200, &answer);
    lb_buf_deinit(&answer);
}

static void
done_look(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct import_session *session =
        (struct import_session *)((char *)job -
                                  offsetof(struct import_session, look));
    struct import_sessions *sessions = session->sessions;

    if (rc == LB_OK && session->look_rc == LB_OK && !session->is_look_over) {
        pool_submit(sessions->parts.readers, &session->look);
        return;
    }
    sessions->is_reading = false;
    sessions->is_ready = rc == LB_OK && session->look_rc == LB_OK;
    if (sessions->is_ready) {
        begin(session);
        return;
    }
    lb_log_limited(LB_LOG_ERROR, "import_failed", "text=\"%s\"",
                   rc != LB_OK ? err->text : session->look_err.text);
    lb_http_respond_error(session->starting, 503, "not_ready",
                          "The log can't be read now.", NULL);
    session->starting = NULL;
    session->is_failed = true;
    release(session);
}

/* Whether another import may have the place: nothing of it is under way, and
 * nobody will miss it. */
static bool is_free(const struct import_session *session, int64_t now_ms)
{
    int64_t still_ms = now_ms - session->used_at_ms;

    return session->name[0] == '\0' ||
           (is_still(session) && session->waiting == NULL &&
            still_ms > (session->is_failed || session->is_stopped
                            ? ALIVE_MS
                            : FORGOTTEN_MS));
}

/* Whether whoever runs the import may still be there. */
static bool is_alive(const struct import_session *session, int64_t now_ms)
{
    return !is_still(session) ||
           (session->is_looked && !session->is_failed && !session->is_stopped &&
            now_ms - session->used_at_ms < ALIVE_MS);
}

/* The place of that name, or one that is free; NULL: none is, or the import is
 * under way. */
static struct import_session *find_place(struct import_sessions *sessions,
                                         const char *name)
{
    struct import_session *place = find(sessions, name);
    int64_t now_ms = lb_clock_mono_ms();

    if (place != NULL) {
        return is_alive(place, now_ms) ? NULL : place;
    }
    for (size_t i = 0; i < IMPORT_SESSIONS; i++) {
        if (is_free(&sessions->sessions[i], now_ms)) {
            return &sessions->sessions[i];
        }
    }
    return NULL;
}

/* Whether an import may begin: the ids are there, or may be read now. */
static bool may_begin(const struct import_sessions *sessions)
{
    bool is_used = false;

    for (size_t i = 0; i < IMPORT_SESSIONS; i++) {
        is_used = is_used || sessions->sessions[i].store != NULL;
    }
    return sessions->is_ready || !is_used;
}

void import_session_start(struct import_sessions *sessions,
                          struct lb_http_request *http,
                          const char *name)
{
    struct import_session *session = find_place(sessions, name);

    if (session == NULL || sessions->is_reading) {
        respond_busy(http, "Too many imports run, or this one does.");
        return;
    }
    /* What an import that was broken off left behind. */
    session->sessions = sessions;
    refuse_waiting(session, 409, "stopped", "The import begins anew.");
    release(session);
    memset(session, 0, sizeof(*session));
    session->sessions = sessions;
    if (may_begin(sessions)) {
        session->store = import_store_new(
            &sessions->ids,
            intake_settings(sessions->intake)->double_tap_window_ms);
    }
    if (session->store == NULL) {
        respond_busy(http, "Another import ends, or memory is short.");
        return;
    }
    (void)snprintf(session->name, sizeof(session->name), "%s", name);
    session->run = ++sessions->run_count;
    session->starting = http;
    session->used_at_ms = lb_clock_mono_ms();
    if (sessions->is_ready) {
        begin(session);
        return;
    }
    sessions->is_reading = true;
    session->look.run = run_look;
    session->look.done = done_look;
    pool_submit(sessions->parts.readers, &session->look);
}
