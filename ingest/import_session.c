/* import_session.c - what the service keeps of an import while it runs. */
#include "ingest/import_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/text.h"
#include "sql/auth.h"

#define NAME_BYTES 32
#define SCAN_IDS ((size_t)1000000)
#define FORGOTTEN_MS (72 * LB_MS_PER_HOUR)

struct import_session {
    char name[NAME_BYTES + 1];    /* "" : a free place */
    struct event_session *events; /* owned */
    bool is_busy;
    int64_t used_at_ms; /* monotonic */
};

struct import_sessions {
    struct import_session sessions[IMPORT_SESSIONS];
};

struct import_sessions *import_sessions_new(void)
{
    return calloc(1, sizeof(struct import_sessions));
}

static void clear(struct import_session *session)
{
    event_session_free(session->events);
    memset(session, 0, sizeof(*session));
}

void import_sessions_free(struct import_sessions *sessions)
{
    for (size_t i = 0; sessions != NULL && i < IMPORT_SESSIONS; i++) {
        clear(&sessions->sessions[i]);
    }
    free(sessions);
}

bool import_session_is_name(const char *name)
{
    return name != NULL && lb_text_is_made_of(name, "0-9A-Za-z", NAME_BYTES);
}

struct import_session *import_session_take(struct import_sessions *sessions,
                                           const char *name,
                                           int64_t double_tap_window_ms)
{
    struct import_session *place = NULL;

    for (size_t i = 0; i < IMPORT_SESSIONS; i++) {
        struct import_session *session = &sessions->sessions[i];
        bool is_idle = !session->is_busy;

        if (strcmp(session->name, name) == 0) {
            session->used_at_ms = lb_clock_mono_ms();
            session->is_busy = true;
            return is_idle ? session : NULL;
        }
        if (is_idle && (place == NULL || session->name[0] == '\0' ||
                        (place->name[0] != '\0' &&
                         session->used_at_ms < place->used_at_ms))) {
            place = session;
        }
    }
    /* An import that was broken off long ago makes room. */
    if (place == NULL ||
        (place->name[0] != '\0' &&
         lb_clock_mono_ms() - place->used_at_ms < FORGOTTEN_MS / 72)) {
        return NULL;
    }
    clear(place);
    place->events = event_session_new(double_tap_window_ms);
    if (place->events == NULL) {
        return NULL;
    }
    (void)snprintf(place->name, sizeof(place->name), "%s", name);
    place->is_busy = true;
    place->used_at_ms = lb_clock_mono_ms();
    return place;
}

void import_session_release(struct import_sessions *sessions,
                            struct import_session *session,
                            bool is_over)
{
    (void)sessions;
    session->is_busy = false;
    if (is_over) {
        clear(session);
    }
}

struct event_session *import_session_events(struct import_session *session)
{
    return session->events;
}

const char *import_session_name(const struct import_session *session)
{
    return session->name;
}

struct scan {
    struct pool_job job;
    struct import_sessions *sessions;
    struct import_session *session;
    struct lb_http_request *request;
    uint64_t *hashes; /* owned; sorted */
    bool *is_known;   /* owned */
    size_t count;
    enum lb_err rc;
    struct lb_error err;
};

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void run_scan(struct pool_job *job, struct db *db)
{
    struct scan *scan = (struct scan *)job;

    qsort(scan->hashes, scan->count, sizeof(*scan->hashes), compare);
    scan->rc = event_store_scan_ids(db, scan->hashes, scan->count,
                                    scan->is_known, &scan->err);
}

static void
done_scan(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct scan *scan = (struct scan *)job;
    size_t known = 0;
    struct lb_buf answer;

    rc = rc == LB_OK ? scan->rc : rc;
    for (size_t i = 0; i < scan->count && rc == LB_OK; i++) {
        if (scan->is_known[i]) {
            rc = event_session_know(scan->session->events, scan->hashes[i]);
            known++;
        }
    }
    lb_buf_init(&answer, 256);
    lb_buf_printf(&answer, "{\"ids\":%zu,\"known\":%zu}", scan->count, known);
    if (rc == LB_OK) {
        lb_http_respond_json(scan->request, 200, &answer);
    } else {
        lb_http_respond_error(scan->request, 503, "not_ready",
                              "The log can't be read now.",
                              rc == scan->rc ? scan->err.text : err->text);
    }
    import_session_release(scan->sessions, scan->session, false);
    lb_buf_deinit(&answer);
    free(scan->hashes);
    free(scan->is_known);
    free(scan);
}

/* Reads the lines SITE TAB ID of the body, in place. */
static void read_ids(struct scan *scan,
                     const struct catalog *catalog,
                     const uint8_t id_key[16],
                     char *text)
{
    const struct catalog_site *site = NULL;

    while (*text != '\0' && scan->count < SCAN_IDS) {
        char *end = text + strcspn(text, "\n");
        char *tab = memchr(text, '\t', (size_t)(end - text));
        bool is_last = *end == '\0';

        *end = '\0';
        if (tab != NULL) {
            *tab = '\0';
            if (site == NULL || strcmp(site->id, text) != 0) {
                site = catalog_site_find(catalog, text);
            }
            if (site != NULL) {
                scan->hashes[scan->count++] =
                    event_id_hash(id_key, site->number, tab + 1);
            }
        }
        text = is_last ? end : end + 1;
    }
}

void import_session_scan(struct import_sessions *sessions,
                         struct lb_http_request *request,
                         struct pool *readers,
                         const uint8_t id_key[16],
                         int64_t double_tap_window_ms)
{
    const char *name = lb_http_request_query(request, "session", 0);
    struct lb_buf *body = lb_http_request_body(request);
    struct scan *scan = calloc(1, sizeof(*scan));
    size_t lines = 1;

    for (size_t i = 0; i < body->len; i++) {
        lines += body->data[i] == '\n' ? 1 : 0;
    }
    if (scan != NULL) {
        scan->hashes = calloc(lines, sizeof(*scan->hashes));
        scan->is_known = calloc(lines, sizeof(*scan->is_known));
        scan->session =
            import_session_is_name(name)
                ? import_session_take(sessions, name, double_tap_window_ms)
                : NULL;
    }
    if (scan == NULL || scan->hashes == NULL || scan->is_known == NULL ||
        scan->session == NULL || body->len == 0) {
        lb_http_respond_error(request, 503, "overloaded",
                              "Too many imports run, or this one is busy.",
                              NULL);
        if (scan != NULL) {
            if (scan->session != NULL) {
                import_session_release(sessions, scan->session, false);
            }
            free(scan->hashes);
            free(scan->is_known);
        }
        free(scan);
        return;
    }
    scan->sessions = sessions;
    scan->request = request;
    scan->job.run = run_scan;
    scan->job.done = done_scan;
    read_ids(scan, auth_who_of(request)->catalog, id_key, body->data);
    pool_submit(readers, &scan->job);
}
