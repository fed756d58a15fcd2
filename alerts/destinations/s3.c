/* s3.c - objects in S3, or what speaks its protocol, signed by libcurl (SigV4).
 * A batch of a stream becomes one object of gzipped NDJSON for each site and
 * UTC day; its key has the batch's id, so that a repeat overwrites the same
 * bytes.  An alert is one object of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/destination.h"
#include "alerts/destination_check.h"
#include "alerts/facts.h"
#include "alerts/rows.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"

#define STREAM_ROWS 50000
#define KEY_BYTES 1024 /* of an object's key, S3's limit */
#define NAME_SET "A-Za-z0-9._-"
#define PREFIX_SET "A-Za-z0-9._~/=-"
#define DAY_BYTES 10 /* 2026-11-23 */
#define TEXT_BYTES ((size_t)128 * 1024 * 1024)

static const char *const keys[] = {"endpoint", "bucket", "prefix", "path_style",
                                   NULL};
static const char *const needs[] = {"endpoint", "bucket", NULL};

static void check_text(const struct lb_yaml *destination,
                       const char *key,
                       const char *set,
                       struct lb_config_faults *faults)
{
    const struct lb_yaml *node = lb_yaml_find(destination, key);

    if (node != NULL && (node->kind != LB_YAML_SCALAR ||
                         !lb_text_is_made_of(node->text, set, 200))) {
        lb_config_fault(faults, node->line, node->column, key,
                        "must be of the characters %s", set);
    }
}

static void check(const struct lb_yaml *destination,
                  struct lb_config_faults *faults)
{
    destination_check_url(lb_yaml_find(destination, "endpoint"), "endpoint",
                          faults);
    check_text(destination, "bucket", NAME_SET, faults);
    check_text(destination, "prefix", PREFIX_SET, faults);
}

/* --- where
 * ------------------------------------------------------------------------ */

/* Percent-encoded, but for the slashes. */
static void add_path(struct lb_buf *out, const char *text)
{
    char part[KEY_BYTES];

    while (*text != '\0') {
        size_t len = strcspn(text, "/");

        (void)snprintf(part, sizeof(part), "%.*s", (int)len, text);
        lb_text_percent_encode(out, part);
        text += len;
        if (*text == '/') {
            lb_buf_add_char(out, *text++);
        }
    }
}

static void set_url(const struct destination *destination,
                    const char *key,
                    struct lb_buf *out)
{
    const cJSON *style =
        cJSON_GetObjectItemCaseSensitive(destination->body, "path_style");
    const char *bucket = lb_json_text(destination->body, "bucket");
    const char *host = strstr(destination->url, "://");
    size_t len = strlen(destination->url);

    len -= len > 0 && destination->url[len - 1] == '/' ? 1 : 0;
    lb_buf_clear(out);
    if (cJSON_IsFalse(style) && host != NULL) {
        size_t scheme = (size_t)(host - destination->url) + 3;

        lb_buf_add(out, destination->url, scheme);
        lb_buf_printf(out, "%s.", bucket);
        lb_buf_add(out, destination->url + scheme, len - scheme);
    } else {
        lb_buf_add(out, destination->url, len);
        lb_buf_printf(out, "/%s", bucket);
    }
    lb_buf_add_char(out, '/');
    add_path(out, key);
}

static void begin_key(const struct destination *destination, struct lb_buf *out)
{
    const char *prefix = lb_json_text(destination->body, "prefix");

    if (prefix != NULL && prefix[0] != '\0') {
        lb_buf_add_text(out, prefix);
        lb_buf_add_text(out, prefix[strlen(prefix) - 1] == '/' ? "" : "/");
    }
}

/* --- what
 * ------------------------------------------------------------------------ */

/* The site and day of a row, as they stand in a key. */
static bool place_of(const char *line, struct lb_buf *out)
{
    cJSON *row = cJSON_Parse(line);
    const char *site = lb_json_text(row, "site");
    const char *ts = lb_json_text(row, "ts");
    bool is_ok = site != NULL && ts != NULL && strlen(ts) > DAY_BYTES;

    lb_buf_clear(out);
    if (is_ok) {
        lb_buf_printf(out, "site=%s/dt=%.*s/", site, DAY_BYTES, ts);
    }
    cJSON_Delete(row);
    return is_ok;
}

/* Where the rows of the next site or day begin; those of one stand together. */
static size_t next_place(const struct destination_rows *rows, size_t first)
{
    size_t at = first;

    while (at < rows->count && rows->places[at] == rows->places[first]) {
        at++;
    }
    return at;
}

static void
add_digest(struct lb_buf *out, const char *name, const void *bytes, size_t len)
{
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    char hex[2 * LB_SECRET_SHA256_BYTES + 1];

    lb_secret_sha256(bytes, len, digest);
    lb_text_to_hex(digest, sizeof(digest), hex);
    lb_buf_printf(out, "%s: %s\n", name, hex);
}

static enum lb_err add_rows(const struct destination *destination,
                            const struct destination_message *message,
                            struct destination_request *request,
                            struct lb_error *err)
{
    struct lb_buf place;
    struct lb_buf text;
    struct lb_buf key;
    size_t first = (size_t)message->step;
    size_t end = next_place(message->rows, first);
    enum lb_err rc = LB_OK;

    lb_buf_init(&place, KEY_BYTES);
    lb_buf_init(&key, KEY_BYTES);
    lb_buf_init(&text, TEXT_BYTES);
    begin_key(destination, &key);
    if (!place_of(message->rows->lines[first], &place)) {
        rc = lb_err_set(err, LB_EFORMAT, "a row is damaged");
    }
    for (size_t i = first; i < end; i++) {
        lb_buf_add_text(&text, message->rows->lines[i]);
        lb_buf_add_char(&text, '\n');
    }
    rc = text.is_failed ? lb_err_set(err, LB_ENOMEM, "out of memory") : rc;
    lb_buf_printf(&key, "%s%s.ndjson.gz", lb_buf_text(&place), message->id);
    if (rc == LB_OK &&
        rows_add_gzip(lb_buf_text(&text), text.len, &request->body) != LB_OK) {
        rc = lb_err_set(err, LB_ELIMIT, "the object is too large");
    }
    lb_buf_printf(&request->headers,
                  "Content-Type: application/x-ndjson\n"
                  "Content-Encoding: gzip\nx-amz-meta-rows: %zu\n",
                  end - first);
    add_digest(&request->headers, "x-amz-meta-sha256", lb_buf_text(&text),
               text.len);
    set_url(destination, lb_buf_text(&key), &request->url);
    lb_buf_deinit(&place);
    lb_buf_deinit(&key);
    lb_buf_deinit(&text);
    return rc;
}

static enum lb_err add_alert(const struct destination *destination,
                             const struct destination_message *message,
                             struct destination_request *request,
                             struct lb_error *err)
{
    struct facts facts;
    struct lb_buf key;
    enum lb_err rc = facts_read(destination, message, &facts, err);

    if (rc != LB_OK) {
        return rc;
    }
    lb_buf_init(&key, KEY_BYTES);
    begin_key(destination, &key);
    lb_buf_printf(&key, "alerts/dt=%.*s/%s.json", DAY_BYTES,
                  facts.timestamp == NULL ? "0000-00-00" : facts.timestamp,
                  message->id);
    cJSON_DeleteItemFromObjectCaseSensitive(facts.json, "id");
    lb_json_add_item(&request->body, facts.json);
    set_url(destination, lb_buf_text(&key), &request->url);
    lb_buf_deinit(&key);
    facts_free(&facts);
    return LB_OK;
}

static enum lb_err s3_render(const struct destination *destination,
                             const struct destination_message *message,
                             struct destination_request *request,
                             struct lb_error *err)
{
    enum lb_err rc = message->rows == NULL
                         ? add_alert(destination, message, request, err)
                         : add_rows(destination, message, request, err);

    request->method = "PUT";
    /* libcurl signs this header and sends none of its own. */
    add_digest(&request->headers, "x-amz-content-sha256",
               lb_buf_text(&request->body), request->body.len);
    (void)snprintf(request->sigv4, sizeof(request->sigv4), "aws:amz:%.40s:s3",
                   lb_json_text(destination->body, "region"));
    return rc;
}

/* "<Region>eu-west-1</Region>", where the header does not say it. */
static void note_region(const struct destination_answer *answer, char note[])
{
    const char *region = strstr(answer->body, "<Region>");
    int len = region == NULL ? 0 : (int)strcspn(region + 8, "<");

    if (answer->region[0] != '\0') {
        (void)snprintf(note, DESTINATION_NOTE_BYTES,
                       "wrong region: the bucket is in %.40s; set region and "
                       "endpoint to it",
                       answer->region);
    } else if (len > 0 && len <= 40) {
        (void)snprintf(note, DESTINATION_NOTE_BYTES,
                       "wrong region: the bucket is in %.*s; set region and "
                       "endpoint to it",
                       len, region + 8);
    } else {
        (void)snprintf(note, DESTINATION_NOTE_BYTES,
                       "wrong region: the bucket is in another one; set region "
                       "and endpoint to it");
    }
}

static void s3_judge(const struct destination *destination,
                     const struct destination_message *message,
                     const struct destination_answer *answer,
                     struct destination_verdict *verdict)
{
    size_t next;

    (void)destination;
    destination_judge(answer, verdict);
    if (answer->status == 301 || answer->status == 307) {
        verdict->outcome = DESTINATION_PERMANENT;
        note_region(answer, verdict->note);
    } else if (strstr(answer->body, "EntityTooLarge") != NULL) {
        verdict->outcome = DESTINATION_PERMANENT;
    } else if (answer->status == 403 ||
               (answer->status == 400 &&
                (strstr(answer->body, "Token") != NULL ||
                 strstr(answer->body, "Authorization") != NULL))) {
        verdict->outcome = DESTINATION_AUTH;
        if (strstr(answer->body, "RequestTimeTooSkewed") != NULL) {
            (void)snprintf(verdict->note, sizeof(verdict->note),
                           "RequestTimeTooSkewed: this machine's clock is "
                           "wrong; set it");
        }
    } else if (answer->status == 404) {
        verdict->outcome = DESTINATION_DISABLE;
    } else if (verdict->outcome == DESTINATION_SUCCESS &&
               message->rows != NULL &&
               (next = next_place(message->rows, (size_t)message->step)) <
                   message->rows->count) {
        verdict->outcome = DESTINATION_NEXT;
        verdict->next_step = (int)next;
    } else if (verdict->outcome == DESTINATION_SUCCESS) {
        (void)snprintf(verdict->remote_id, sizeof(verdict->remote_id), "%s",
                       answer->etag);
    }
}

const struct destination_type s3_type = {.name = "s3",
                                         .place = DESTINATION_SERVICE,
                                         .url_key = "endpoint",
                                         .login = DESTINATION_AWS,
                                         .rate = "10/s",
                                         .keys = keys,
                                         .needs = needs,
                                         .stream_rows = STREAM_ROWS,
                                         .is_by_place = true,
                                         .check = check,
                                         .render = s3_render,
                                         .judge = s3_judge};
