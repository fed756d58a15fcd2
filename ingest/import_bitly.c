/* import_bitly.c - clicks on short links. */
#include "ingest/import_bitly.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "ingest/agent.h"

#define JSON_DEPTH 32

static enum import_verdict
fill_bitly(struct import_reading *reading, const cJSON *json, const char *slug)
{
    const char *host = lb_json_text(json, "hh");
    const char *referrer = lb_json_text(json, "r");
    cJSON *props = import_reading_group(reading, "props");

    import_reading_put(reading, "type", "click");
    import_reading_put_cut(reading, "link", slug, IMPORT_TEXT_BYTES);
    import_reading_put_cut(reading, "url",
                           import_reading_print(reading, "http://%s/%s",
                                                host == NULL ? "bit.ly" : host,
                                                slug),
                           IMPORT_URL_BYTES);
    if (referrer != NULL && strcmp(referrer, "direct") != 0) {
        import_reading_put_cut(reading, "referrer", referrer,
                               IMPORT_REFERRER_BYTES);
    }
    import_reading_put_cut(reading, "user_agent", lb_json_text(json, "a"),
                           AGENT_BYTES);
    import_reading_put(reading, "country", lb_json_text(json, "c"));
    import_reading_put_cut(reading, "region", lb_json_text(json, "gr"),
                           IMPORT_TEXT_BYTES);
    import_reading_put_cut(reading, "city", lb_json_text(json, "cy"),
                           IMPORT_TEXT_BYTES);
    import_reading_put_in(reading, props, "g", lb_json_text(json, "g"));
    import_reading_put_in(reading, props, "login", lb_json_text(json, "l"));
    if (props != NULL &&
        lb_json_put_bool(props, "known_visitor", lb_json_int(json, "nk") == 1,
                         reading->arena) == NULL) {
        reading->is_full = true;
    }
    return import_reading_end(reading);
}

enum import_verdict import_bitly_read(struct import_reading *reading)
{
    struct lb_json_fault fault;
    cJSON *json = NULL;
    const char *slug;
    enum lb_err rc = lb_json_parse(reading->text, reading->len, JSON_DEPTH,
                                   reading->arena, &json, &fault);

    reading->event->json = lb_json_new_object(reading->arena);
    if (rc == LB_ENOMEM || reading->event->json == NULL) {
        return IMPORT_FULL;
    }
    if (rc != LB_OK) {
        return import_reading_bad(reading, "bad_json", NULL,
                                  "not JSON at column %zu: %s", fault.column,
                                  fault.reason);
    }
    if (cJSON_HasObjectItem(json, "_heartbeat_")) {
        return IMPORT_IGNORED;
    }
    slug = lb_json_text(json, "kw");
    slug = slug == NULL ? lb_json_text(json, "h") : slug;
    reading->event->ts_at_ms = lb_json_int(json, "t") * LB_MS_PER_S;
    if (slug == NULL || slug[0] == '\0' || reading->event->ts_at_ms <= 0) {
        return import_reading_bad(reading, "missing_field", NULL,
                                  "the line has no hash (h) or no time (t)");
    }
    return fill_bitly(reading, json, slug);
}
