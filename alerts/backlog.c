/* backlog.c - tells that a destination is full. */
#include "alerts/backlog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "alerts/deliver_notice.h"
#include "alerts/outbox_store.h"
#include "base/clock.h"
#include "base/log.h"
#include "sql/notice.h"

#define SUMMARY_BYTES 320

struct backlog {
    struct writer_job job; /* first */
    struct writer *writer;
    struct cursor *cursor;
    struct notice_entry notice; /* owned */
    bool is_running;
};

static enum lb_err tell(struct backlog *backlog,
                        struct db *db,
                        const struct outbox_backlog *news,
                        int64_t now_ms,
                        struct lb_error *err)
{
    char group[OUTBOX_NAME_BYTES + 32];
    char summary[SUMMARY_BYTES];

    (void)snprintf(group, sizeof(group), "{\"destination\":\"%s\"}",
                   news->destination);
    (void)snprintf(summary, sizeof(summary),
                   "%" PRId64 " messages (max_waiting) waited at the "
                   "destination %s: alerts are left out there until some have "
                   "gone. They stand in the log of alerts",
                   news->most, news->destination);
    notice_warn(&backlog->notice, DELIVER_NOTICE_RULE, "*", group, summary,
                now_ms);
    return cursor_append(backlog->cursor, db, &backlog->notice.entry, err);
}

static enum lb_err
run(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct backlog *backlog = (struct backlog *)job;
    struct outbox_backlog news;
    bool has_news = false;
    int64_t now_ms = lb_clock_wall_ms();
    enum lb_err rc = outbox_backlog_news(db, now_ms, &news, &has_news, err);

    if (rc != LB_OK || !has_news) {
        return rc;
    }
    rc = outbox_backlog_note(db, &news, now_ms, err);
    return rc == LB_OK && !news.is_told ? tell(backlog, db, &news, now_ms, err)
                                        : rc;
}

static void
done(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct backlog *backlog = (struct backlog *)job;

    backlog->is_running = false;
    if (rc != LB_OK) {
        lb_log_limited(LB_LOG_WARN, "backlog_not_told", "text=\"%s\"",
                       err->text);
    }
}

enum lb_err backlog_new(struct writer *writer,
                        struct cursor *cursor,
                        struct backlog **backlog_out,
                        struct lb_error *err)
{
    struct backlog *backlog = calloc(1, sizeof(*backlog));

    *backlog_out = backlog;
    if (backlog == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    backlog->writer = writer;
    backlog->cursor = cursor;
    backlog->job.run = run;
    backlog->job.done = done;
    notice_init(&backlog->notice);
    return LB_OK;
}

void backlog_tell(struct backlog *backlog)
{
    if (!backlog->is_running) {
        backlog->is_running =
            writer_submit(backlog->writer, &backlog->job) == LB_OK;
    }
}

void backlog_free(struct backlog *backlog)
{
    if (backlog != NULL) {
        notice_deinit(&backlog->notice);
        free(backlog);
    }
}
