/* engagement.c - the data of an ENTRY_ENGAGEMENT, as JSON. */
#include "sql/engagement.h"

#include <string.h>

#include "base/json.h"

#define NUMBERS_BYTES 200 /* of everything but the page */
#define ESCAPE_BYTES 6    /* one byte's at most */
#define DEPTH 2

size_t engagement_bytes(const char *page)
{
    return NUMBERS_BYTES + (page == NULL ? 0 : strlen(page)) * ESCAPE_BYTES;
}

bool engagement_write(const struct engagement *engagement,
                      char *out,
                      size_t bytes)
{
    struct lb_buf text;
    bool is_written;

    lb_buf_init(&text, bytes - 1);
    lb_buf_printf(
        &text,
        "{\"site\":%lld,\"visitor_day\":%lld,\"visitor\":%lld,"
        "\"ms\":%lld",
        (long long)engagement->site, (long long)engagement->visitor_day,
        (long long)engagement->visitor, (long long)engagement->attention_ms);
    if (engagement->scroll_depth != ENGAGEMENT_UNKNOWN) {
        lb_buf_printf(&text, ",\"scroll\":%d", engagement->scroll_depth);
    }
    if (engagement->page != NULL) {
        lb_buf_add_text(&text, ",\"page\":");
        lb_json_add_plain_string(&text, engagement->page);
    }
    lb_buf_add_char(&text, '}');
    is_written = !text.is_failed;
    if (is_written) {
        memcpy(out, lb_buf_text(&text), text.len + 1);
    }
    lb_buf_deinit(&text);
    return is_written;
}

enum lb_err engagement_read(const char *data,
                            struct lb_arena *arena,
                            struct engagement *engagement_out,
                            struct lb_error *err)
{
    struct lb_json_fault fault;
    cJSON *json = NULL;
    enum lb_err rc = data == NULL ? LB_EFORMAT
                                  : lb_json_parse(data, strlen(data), DEPTH,
                                                  arena, &json, &fault);

    memset(engagement_out, 0, sizeof(*engagement_out));
    if (rc == LB_ENOMEM) {
        return lb_err_set(err, rc, "out of memory");
    }
    if (rc != LB_OK || !cJSON_IsObject(json)) {
        return lb_err_set(err, LB_EFORMAT,
                          "the log holds an engagement that can't be read");
    }
    engagement_out->site = lb_json_int(json, "site");
    engagement_out->visitor_day = lb_json_int(json, "visitor_day");
    engagement_out->visitor = lb_json_int(json, "visitor");
    engagement_out->attention_ms = lb_json_int(json, "ms");
    engagement_out->page = lb_json_text(json, "page");
    engagement_out->scroll_depth = cJSON_HasObjectItem(json, "scroll")
                                       ? (int)lb_json_int(json, "scroll")
                                       : ENGAGEMENT_UNKNOWN;
    return LB_OK;
}
