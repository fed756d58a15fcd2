/* engagement_store.c - appending how far a visitor read. */
#include "ingest/engagement_store.h"

#include "ingest/visitor.h"
#include "sql/engagement.h"

enum lb_err engagement_store_append(struct cursor *cursor,
                                    const struct decide *decide,
                                    struct db *db,
                                    struct event *event,
                                    struct lb_error *err)
{
    struct entry *entry = &event->entry;
    struct event_engagement *seen = event->engagement;
    struct engagement engagement = {.site = entry->site,
                                    .visitor_day = entry->visitor_day,
                                    .page = entry->text[ENTRY_TEXT_PAGE],
                                    .scroll_depth = seen->scroll_depth,
                                    .attention_ms = seen->attention_ms};

    entry->visitor =
        event->salt == NULL
            ? 0
            : visitor_known_number(event->salt, event->visitor_hash);
    event->is_dropped =
        entry->traffic != ENTRY_HUMAN || !decide_has_visit(decide, entry);
    if (event->is_dropped) {
        return LB_OK;
    }
    engagement.visitor = entry->visitor;
    if (!engagement_write(&engagement, seen->data, seen->data_bytes)) {
        return lb_err_set(err, LB_EINTERNAL, "an engagement is too long");
    }
    entry->data = seen->data;
    return cursor_append(cursor, db, entry, err);
}
