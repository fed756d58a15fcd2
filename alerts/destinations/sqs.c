/* sqs.c - Amazon SQS, or what speaks its JSON protocol: up to ten messages a
 * request, signed by libcurl (SigV4).  A FIFO queue drops a repeat within five
 * minutes by our id, a standard queue never: the id is an attribute too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/destination.h"
#include "alerts/destination_check.h"
#include "alerts/facts.h"
#include "alerts/stream.h"
#include "base/json.h"
#include "base/text.h"

#define ENTRIES 10         /* of a request at most */
#define STREAM_ROWS 1000   /* of a batch, in requests of ten */
#define ENTRY_BYTES 262144 /* of a message's body */
#define ID_BYTES 128
#define NEVER "\xef\xbf\xbd" /* U+FFFD, for what SQS refuses */

static const char *const keys[] = {"queue_url", "group", NULL};
static const char *const needs[] = {"queue_url", NULL};

static void check(const struct lb_yaml *destination,
                  struct lb_config_faults *faults)
{
    const struct lb_yaml *group = lb_yaml_find(destination, "group");

    destination_check_url(lb_yaml_find(destination, "queue_url"), "queue_url",
                          faults);
    if (group != NULL &&
        (group->kind != LB_YAML_SCALAR || (strcmp(group->text, "site") != 0 &&
                                           strcmp(group->text, "rule") != 0))) {
        lb_config_fault(faults, group->line, group->column, "group",
                        "must be site or rule");
    }
}

static bool is_fifo(const char *queue_url)
{
    size_t len = strlen(queue_url);

    return len > 5 && strcmp(queue_url + len - 5, ".fifo") == 0;
}

/* U+FFFE and U+FFFF stand in no message of SQS. */
static void add_text(struct lb_buf *out, const char *text)
{
    struct lb_buf clean;

    lb_buf_init(&clean, ENTRY_BYTES);
    for (; *text != '\0'; text++) {
        if (strncmp(text, "\xef\xbf\xbe", 3) == 0 ||
            strncmp(text, "\xef\xbf\xbf", 3) == 0) {
            lb_buf_add_text(&clean, NEVER);
            text += 2;
        } else {
            lb_buf_add_char(&clean, *text);
        }
    }
    lb_json_add_plain_string(out, lb_buf_text(&clean));
    out->is_failed = out->is_failed || clean.is_failed;
    lb_buf_deinit(&clean);
}

static void
add_attribute(struct lb_buf *out, const char *name, const char *text)
{
    lb_json_add_key(out, name);
    lb_buf_add_text(out, "{\"DataType\":\"String\",\"StringValue\":");
    lb_json_add_plain_string(out, text);
    lb_buf_add_char(out, '}');
}

struct sqs_entry {
    const char *body;
    const char *id;   /* at most ID_BYTES - 1 are sent */
    const char *once; /* by which a FIFO queue knows a repeat */
    const char *type;
    const char *group;
};

static void add_entry(struct lb_buf *out,
                      const char *queue_url,
                      size_t number,
                      const struct sqs_entry *entry)
{
    char id[ID_BYTES];

    (void)snprintf(id, sizeof(id), "%s", entry->id);
    lb_json_add_comma(out);
    lb_buf_printf(out, "{\"Id\":\"%zu\",\"MessageBody\":", number);
    add_text(out, entry->body);
    if (is_fifo(queue_url)) {
        lb_json_add_key(out, "MessageGroupId");
        lb_json_add_plain_string(out, entry->group);
        lb_json_add_key(out, "MessageDeduplicationId");
        lb_json_add_plain_string(out, entry->once);
    }
    lb_json_add_key(out, "MessageAttributes");
    lb_buf_add_char(out, '{');
    add_attribute(out, "type", entry->type);
    add_attribute(out, "id", id);
    lb_buf_add_text(out, "}}");
}

/* The group of a FIFO queue: within one, messages keep their order. */
static const char *group_of(const struct destination *destination,
                            const cJSON *data)
{
    const char *by = lb_json_text(destination->body, "group");
    const char *group = lb_json_text(data, by == NULL ? "site" : by);

    return group == NULL || group[0] == '\0' ? "linkbell" : group;
}

static enum lb_err add_alert(const struct destination *destination,
                             const struct destination_message *message,
                             struct lb_buf *out,
                             struct lb_error *err)
{
    struct facts facts;
    struct lb_buf body;
    struct sqs_entry entry;
    enum lb_err rc = facts_read(destination, message, &facts, err);

    if (rc != LB_OK) {
        return rc;
    }
    lb_buf_init(&body, ENTRY_BYTES);
    cJSON_DeleteItemFromObjectCaseSensitive(facts.json, "id");
    lb_json_add_item(&body, facts.json);
    entry = (struct sqs_entry){lb_buf_text(&body), message->id, message->id,
                               facts.type, group_of(destination, facts.data)};
    add_entry(out, destination->url, 0, &entry);
    rc = body.is_failed ? lb_err_set(err, LB_ELIMIT, "it is too long") : LB_OK;
    lb_buf_deinit(&body);
    facts_free(&facts);
    return rc;
}

/* What is taken so far of a batch, as the delivery's remote id: "seq:48213" of
 * the last row, or "row:10" where rows have no log number. */
static size_t first_row(const struct destination_message *message)
{
    const struct destination_rows *rows = message->rows;
    int64_t number = strlen(message->remote_id) > 4
                         ? (int64_t)strtoll(message->remote_id + 4, NULL, 10)
                         : 0;
    size_t first = 0;

    if (strncmp(message->remote_id, "row:", 4) == 0) {
        return number < (int64_t)rows->count ? (size_t)number : rows->count;
    }
    while (number > 0 && first < rows->count &&
           stream_row_seq(rows->lines[first]) <= number) {
        first++;
    }
    return first;
}

static void note_rows(const struct destination_message *message,
                      size_t taken,
                      char remote_id[DESTINATION_REMOTE_BYTES])
{
    int64_t seq = stream_row_seq(message->rows->lines[taken - 1]);

    if (seq > 0) {
        (void)snprintf(remote_id, DESTINATION_REMOTE_BYTES, "seq:%lld",
                       (long long)seq);
    } else {
        (void)snprintf(remote_id, DESTINATION_REMOTE_BYTES, "row:%zu", taken);
    }
}

static enum lb_err add_rows(const struct destination *destination,
                            const struct destination_message *message,
                            struct lb_buf *out,
                            struct lb_error *err)
{
    const struct destination_rows *rows = message->rows;
    size_t first = first_row(message);

    for (size_t i = first; i < rows->count && i < first + ENTRIES; i++) {
        cJSON *row = cJSON_Parse(rows->lines[i]);
        const char *id = lb_json_text(row, "id");
        const char *type = lb_json_text(row, "type");
        long long seq = (long long)lb_json_int(row, "seq");
        char once[80];
        struct sqs_entry entry;

        /* Ids are a site's own, and of more characters than SQS takes here. */
        (void)snprintf(once, sizeof(once), "seq-%lld", seq);
        if (seq == 0) {
            (void)snprintf(once, sizeof(once), "%.32s-%zu",
                           strrchr(message->id, '_'), i);
        }
        entry = (struct sqs_entry){rows->lines[i], id == NULL ? once : id, once,
                                   type == NULL ? "event" : type,
                                   group_of(destination, row)};
        add_entry(out, destination->url, i - first, &entry);
        cJSON_Delete(row);
    }
    return out->is_failed ? lb_err_set(err, LB_ENOMEM, "out of memory") : LB_OK;
}

static enum lb_err sqs_render(const struct destination *destination,
                              const struct destination_message *message,
                              struct destination_request *request,
                              struct lb_error *err)
{
    struct lb_buf *out = &request->body;
    const char *base = lb_json_text(destination->body, "base_url");
    const char *host = strstr(destination->url, "://");
    enum lb_err rc;

    lb_buf_clear(&request->url);
    if (base != NULL) {
        lb_buf_add_text(&request->url, base);
    } else if (host != NULL) {
        lb_buf_add(&request->url, destination->url,
                   (size_t)(host - destination->url) + 3 +
                       strcspn(host + 3, "/"));
        lb_buf_add_char(&request->url, '/');
    }
    lb_buf_add_text(&request->headers,
                    "Content-Type: application/x-amz-json-1.0\n"
                    "X-Amz-Target: AmazonSQS.SendMessageBatch\n");
    (void)snprintf(request->sigv4, sizeof(request->sigv4), "aws:amz:%.40s:sqs",
                   lb_json_text(destination->body, "region"));
    lb_buf_add_text(out, "{\"QueueUrl\":");
    lb_json_add_plain_string(out, destination->url);
    lb_buf_add_text(out, ",\"Entries\":[");
    rc = message->rows == NULL ? add_alert(destination, message, out, err)
                               : add_rows(destination, message, out, err);
    lb_buf_add_text(out, "]}");
    return rc;
}

/* What stands under Failed was not taken, though the status is 200: through our
 * fault never will be, else it goes again. */
static void judge_entries(const struct destination_message *message,
                          const char *body,
                          struct destination_verdict *verdict)
{
    cJSON *json = cJSON_Parse(body);
    const cJSON *failed = cJSON_GetObjectItemCaseSensitive(json, "Failed");
    const cJSON *done = cJSON_GetObjectItemCaseSensitive(json, "Successful");
    const cJSON *entry;

    verdict->outcome = cJSON_IsArray(done) || cJSON_IsArray(failed)
                           ? DESTINATION_SUCCESS
                           : DESTINATION_RETRY;
    cJSON_ArrayForEach (entry, failed) {
        if (!lb_json_is_true(entry, "SenderFault")) {
            verdict->outcome = DESTINATION_RETRY;
        } else {
            verdict->refused++;
        }
    }
    cJSON_Delete(json);
    if (verdict->outcome != DESTINATION_SUCCESS) {
        verdict->refused = 0;
    } else if (message->rows == NULL) {
        verdict->outcome =
            verdict->refused > 0 ? DESTINATION_PERMANENT : DESTINATION_SUCCESS;
        verdict->refused = 0;
    } else {
        size_t taken = first_row(message) + ENTRIES;

        if (taken < message->rows->count) {
            verdict->outcome = DESTINATION_NEXT;
            verdict->next_step = message->step + 1;
            note_rows(message, taken, verdict->remote_id);
        }
    }
}

/* Whether the answer's code is, or has in it, one of the words. */
static bool says(const char *body, const char *const *words)
{
    while (*words != NULL && strstr(body, *words) == NULL) {
        words++;
    }
    return *words != NULL;
}

static void sqs_judge(const struct destination *destination,
                      const struct destination_message *message,
                      const struct destination_answer *answer,
                      struct destination_verdict *verdict)
{
    static const char *const login[] = {"RequestTimeTooSkewed",
                                        "InvalidClientTokenId",
                                        "SignatureDoesNotMatch",
                                        "AccessDenied",
                                        "ExpiredToken",
                                        "UnrecognizedClient",
                                        "MissingAuthentication",
                                        "IncompleteSignature",
                                        NULL};
    static const char *const queue[] = {"QueueDoesNotExist", "NonExistentQueue",
                                        NULL};
    static const char *const never[] = {
        "InvalidMessageContents", "BatchRequestTooLong",
        "InvalidParameterValue",  "MissingParameter",
        "InvalidAttributeValue",  NULL};

    (void)destination;
    destination_judge(answer, verdict);
    if (answer->status == 200) {
        judge_entries(message, answer->body, verdict);
    } else if (answer->status == 403 || says(answer->body, login)) {
        verdict->outcome = DESTINATION_AUTH;
    } else if (answer->status == 400 && says(answer->body, queue)) {
        verdict->outcome = DESTINATION_DISABLE;
    } else if (answer->status == 400 && says(answer->body, never)) {
        verdict->outcome = DESTINATION_PERMANENT;
    }
}

static const char *rate_of(const cJSON *body)
{
    const char *queue_url = lb_json_text(body, "queue_url");

    return queue_url != NULL && is_fifo(queue_url) ? "300/s" : NULL;
}

const struct destination_type sqs_type = {.name = "sqs",
                                          .place = DESTINATION_SERVICE,
                                          .url_key = "queue_url",
                                          .login = DESTINATION_AWS,
                                          .rate_of = rate_of,
                                          .keys = keys,
                                          .needs = needs,
                                          .needs_body = true,
                                          .stream_rows = STREAM_ROWS,
                                          .check = check,
                                          .render = sqs_render,
                                          .judge = sqs_judge};
