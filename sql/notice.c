/* notice.c - log entries for the owner. */
#include "sql/notice.h"

#include <string.h>

#include "base/json.h"

void notice_init(struct notice_entry *out)
{
    memset(out, 0, sizeof(*out));
    lb_buf_init(&out->data, NOTICE_BYTES);
}

void notice_deinit(struct notice_entry *entry)
{
    lb_buf_deinit(&entry->data);
}

static void add_text(struct lb_buf *out, const char *key, const char *text)
{
    lb_json_add_key(out, key);
    lb_json_add_plain_string(out, text);
}

void notice_fill(struct notice_entry *out,
                 const struct notice *notice,
                 int64_t received_at_ms)
{
    struct lb_buf *data = &out->data;

    lb_buf_clear(data);
    lb_buf_add_char(data, '{');
    add_text(data, "rule", notice->rule);
    add_text(data, "severity", notice->severity);
    add_text(data, "site", notice->site);
    lb_json_add_key(data, "group");
    lb_buf_add_text(data, notice->group);
    lb_json_add_key(data, "from");
    lb_buf_add_int(data, notice->from_at_ms);
    lb_json_add_key(data, "to");
    lb_buf_add_int(data, notice->to_at_ms);
    add_text(data, "coverage", notice->coverage);
    add_text(data, "summary", notice->summary);
    lb_buf_add_char(data, '}');
    memset(&out->entry, 0, sizeof(out->entry));
    out->entry.kind = ENTRY_NOTICE;
    out->entry.received_at_ms = received_at_ms;
    out->entry.ts_at_ms = received_at_ms;
    out->entry.data = lb_buf_text(data);
}

void notice_warn(struct notice_entry *out,
                 const char *rule,
                 const char *site,
                 const char *group,
                 const char *summary,
                 int64_t now_ms)
{
    const struct notice notice = {.rule = rule,
                                  .severity = "warning",
                                  .site = site,
                                  .group = group,
                                  .from_at_ms = now_ms,
                                  .to_at_ms = now_ms,
                                  .coverage = "complete",
                                  .summary = summary};

    notice_fill(out, &notice, now_ms);
}
