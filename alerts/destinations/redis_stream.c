/* redis_stream.c - entries of a Redis stream (XADD), pipelined; commands and
 * replies by hiredis, the connection by dial.  An entry has the fields
 * id, type and data.  With `exact` the entry's own id is the event's log
 * number, so that what stands there already is found and not added again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "alerts/destination.h"
#include "alerts/destination_check.h"
#include "alerts/dial.h"
#include "alerts/facts.h"
#include "base/json.h"
#include "base/text.h"

#define STREAM_ROWS 10000
#define PIPELINE 1000 /* commands sent before their replies are read */
#define KEY_BYTES 512
#define ENTRY_ID_BYTES 48
#define DATA_BYTES ((size_t)1024 * 1024)
#define PIPELINE_BYTES ((size_t)128 * 1024 * 1024)
#define READ_BYTES 16384
#define PORT 6379

static const char *const keys[] = {"key", "maxlen", "exact", NULL};
static const char *const needs[] = {"key", NULL};

static void check(const struct lb_yaml *destination,
                  struct lb_config_faults *faults)
{
    const struct lb_yaml *key = lb_yaml_find(destination, "key");
    const struct lb_yaml *most = lb_yaml_find(destination, "maxlen");
    const struct lb_yaml *exact = lb_yaml_find(destination, "exact");
    long long number = 0;

    if (key != NULL && (key->kind != LB_YAML_SCALAR || key->text[0] == '\0' ||
                        strlen(key->text) > KEY_BYTES / 2)) {
        lb_config_fault(faults, key->line, key->column, "key",
                        "must be a stream's key, such as linkbell:events");
    }
    if (most != NULL && (most->kind != LB_YAML_SCALAR ||
                         !lb_text_to_int(most->text, &number) || number < 1)) {
        lb_config_fault(faults, most->line, most->column, "maxlen",
                        "must be a number of entries");
    }
    if (exact != NULL && lb_yaml_find(destination, "stream") == NULL) {
        lb_config_fault(faults, exact->key_line, exact->key_column, "exact",
                        "is for streams: alerts have no log number");
    } else if (exact != NULL &&
               lb_yaml_find(destination, "transform") != NULL) {
        lb_config_fault(faults, exact->key_line, exact->key_column, "exact",
                        "does not go with a transform, which may make several "
                        "entries of one event");
    }
}

/* --- the address
 * ------------------------------------------------------------------------ */

struct place {
    bool is_tls;
    char host[256];
    char user[DESTINATION_MAIL_BYTES];
    char password[DESTINATION_TOKEN_BYTES];
    unsigned port;
    unsigned db;
};

/* False: an escape that is none. */
static bool decode(const char *text, size_t len, char *out, size_t out_bytes)
{
    long decoded;

    (void)snprintf(out, out_bytes, "%.*s", (int)len, text);
    decoded = lb_text_percent_decode(out, strlen(out), false);
    out[decoded < 0 ? 0 : decoded] = '\0';
    return decoded >= 0;
}

static bool read_login(const char *text, size_t len, struct place *place)
{
    const char *colon = memchr(text, ':', len);

    return colon == NULL || (decode(text, (size_t)(colon - text), place->user,
                                    sizeof(place->user)) &&
                             decode(colon + 1, len - (size_t)(colon - text) - 1,
                                    place->password, sizeof(place->password)));
}

/* redis://[[user]:password@]host[:port][/db]; rediss:// is TLS. */
static bool read_place(const char *url, struct place *place)
{
    const char *rest = strncmp(url, "rediss://", 9) == 0  ? url + 9
                       : strncmp(url, "redis://", 8) == 0 ? url + 8
                                                          : NULL;
    const char *slash;
    const char *at;
    const char *colon;
    size_t len;

    memset(place, 0, sizeof(*place));
    if (rest == NULL) {
        return false;
    }
    place->is_tls = url[5] == 's';
    place->port = PORT;
    slash = strchr(rest, '/');
    len = slash == NULL ? strlen(rest) : (size_t)(slash - rest);
    at = memrchr(rest, '@', len);
    if (at != NULL) {
        if (!read_login(rest, (size_t)(at - rest), place)) {
            return false;
        }
        len -= (size_t)(at - rest) + 1;
        rest = at + 1;
    }
    colon = memrchr(rest, ':', len);
    if (colon != NULL &&
        memchr(colon, ']', len - (size_t)(colon - rest)) == NULL) {
        place->port = (unsigned)strtoul(colon + 1, NULL, 10);
        len = (size_t)(colon - rest);
    }
    (void)snprintf(place->host, sizeof(place->host), "%.*s", (int)len, rest);
    place->db = slash == NULL ? 0 : (unsigned)strtoul(slash + 1, NULL, 10);
    return place->host[0] != '\0' && place->port > 0 && place->port < 65536;
}

/* --- commands and replies
 * ------------------------------------------------------------------------ */

struct redis_entry {
    char entry_id[ENTRY_ID_BYTES]; /* "*" or the log number's */
    char key[KEY_BYTES];
    char id[128];
    char type[32];
    const char *data;
};

struct talk {
    const struct destination *destination;
    struct dial *dial;   /* owned */
    redisReader *reader; /* owned */
    struct lb_buf out;   /* commands that wait to be sent */
    char last[ENTRY_ID_BYTES];
    struct destination_verdict *verdict;
    struct lb_error *err;
};

static void add_command(struct talk *talk, int count, const char **words)
{
    char *command = NULL;
    int len = redisFormatCommandArgv(&command, count, words, NULL);

    if (len < 0) {
        talk->out.is_failed = true;
    } else {
        lb_buf_add(&talk->out, command, (size_t)len);
    }
    free(command);
}

static enum lb_err flush(struct talk *talk)
{
    enum lb_err rc = talk->out.is_failed
                         ? lb_err_set(talk->err, LB_ENOMEM, "out of memory")
                         : dial_send(talk->dial, lb_buf_text(&talk->out),
                                     talk->out.len, talk->err);

    lb_buf_clear(&talk->out);
    return rc;
}

/* More bytes for the reader. */
static enum lb_err feed(struct talk *talk)
{
    char bytes[READ_BYTES];
    size_t len = 0;
    enum lb_err rc =
        dial_receive(talk->dial, bytes, sizeof(bytes), &len, talk->err);

    return rc == LB_OK && redisReaderFeed(talk->reader, bytes, len) != REDIS_OK
               ? lb_err_set(talk->err, LB_ENOMEM, "out of memory")
               : rc;
}

/* The next reply, NULL when there is an error; freeReplyObject() it. */
static enum lb_err receive(struct talk *talk, redisReply **reply_out)
{
    void *reply = NULL;
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && reply == NULL) {
        if (redisReaderGetReply(talk->reader, &reply) != REDIS_OK) {
            return lb_err_set(talk->err, LB_EFORMAT,
                              "its answer is none of Redis");
        }
        rc = reply == NULL ? feed(talk) : LB_OK;
    }
    *reply_out = reply;
    return rc;
}

/* What an error of Redis means for the message. */
static enum destination_outcome judge_error(const char *text)
{
    static const char *const again[] = {"OOM",      "LOADING",    "BUSY",
                                        "READONLY", "MASTERDOWN", "CLUSTERDOWN",
                                        "MISCONF"};
    static const char *const login[] = {"NOAUTH",
                                        "WRONGPASS",
                                        "NOPERM",
                                        "ERR Client sent AUTH",
                                        "ERR invalid password",
                                        "ERR AUTH"};

    for (size_t i = 0; i < sizeof(again) / sizeof(again[0]); i++) {
        if (strncmp(text, again[i], strlen(again[i])) == 0) {
            return DESTINATION_RETRY;
        }
    }
    for (size_t i = 0; i < sizeof(login) / sizeof(login[0]); i++) {
        if (strncmp(text, login[i], strlen(login[i])) == 0) {
            return DESTINATION_AUTH;
        }
    }
    return strncmp(text, "WRONGTYPE", 9) == 0 ? DESTINATION_DISABLE
           : strncmp(text, "MOVED", 5) == 0   ? DESTINATION_PERMANENT
                                              : DESTINATION_RETRY;
}

/* An unknown command is quoted with its arguments, which are not for a log. */
static enum lb_err refuse(struct talk *talk, const char *text)
{
    const char *quoted = strstr(text, ", with args");

    talk->verdict->outcome = judge_error(text);
    return lb_err_set(talk->err, LB_EIO, "Redis says: %.*s%s",
                      quoted == NULL ? 120 : (int)(quoted - text), text,
                      strncmp(text, "MOVED", 5) == 0
                          ? "; a cluster needs a hash tag in the key and the "
                            "node that has it"
                          : "");
}

/* --- one message or row
 * ------------------------------------------------------------------------ */

/* `{site}` in the key is the site's. */
static void set_key(const struct destination *destination,
                    const char *site,
                    char out[KEY_BYTES])
{
    const char *key = lb_json_text(destination->body, "key");
    const char *hole = strstr(key, "{site}");

    if (hole == NULL) {
        (void)snprintf(out, KEY_BYTES, "%s", key);
    } else {
        (void)snprintf(out, KEY_BYTES, "%.*s%.200s%s", (int)(hole - key), key,
                       site == NULL ? "" : site, hole + 6);
    }
}

static void read_row(const struct destination *destination,
                     const char *line,
                     struct redis_entry *entry)
{
    cJSON *row = cJSON_Parse(line);
    const char *id = lb_json_text(row, "id");
    const char *type = lb_json_text(row, "type");
    long long seq = (long long)lb_json_int(row, "seq");

    set_key(destination, lb_json_text(row, "site"), entry->key);
    (void)snprintf(entry->entry_id, sizeof(entry->entry_id), "*");
    if (lb_json_is_true(destination->body, "exact")) {
        (void)snprintf(entry->entry_id, sizeof(entry->entry_id), "%lld-1", seq);
    }
    (void)snprintf(entry->id, sizeof(entry->id), "%s", id == NULL ? "" : id);
    if (id == NULL) {
        (void)snprintf(entry->id, sizeof(entry->id), "seq-%lld", seq);
    }
    (void)snprintf(entry->type, sizeof(entry->type), "%s",
                   type == NULL ? "event" : type);
    entry->data = line;
    cJSON_Delete(row);
}

static void add_entry(struct talk *talk, const struct redis_entry *entry)
{
    const cJSON *most =
        cJSON_GetObjectItemCaseSensitive(talk->destination->body, "maxlen");
    const char *words[16] = {"XADD", entry->key};
    char number[32];
    int count = 2;

    if (most != NULL) {
        (void)snprintf(
            number, sizeof(number), "%lld",
            (long long)lb_json_int(talk->destination->body, "maxlen"));
        words[count++] = "MAXLEN";
        words[count++] = "~";
        words[count++] = number;
    }
    words[count++] = entry->entry_id;
    words[count++] = "id";
    words[count++] = entry->id;
    words[count++] = "type";
    words[count++] = entry->type;
    words[count++] = "data";
    words[count++] = entry->data;
    add_command(talk, count, words);
}

/* Whether an entry of a stream has our id among its fields. */
static bool has_id(const redisReply *range, const char *id)
{
    const redisReply *fields;

    if (range == NULL || range->type != REDIS_REPLY_ARRAY ||
        range->elements != 1 || range->element[0]->type != REDIS_REPLY_ARRAY ||
        range->element[0]->elements != 2) {
        return false;
    }
    fields = range->element[0]->element[1];
    for (size_t i = 0;
         fields->type == REDIS_REPLY_ARRAY && i + 1 < fields->elements;
         i += 2) {
        if (strcmp(fields->element[i]->str, "id") == 0) {
            return strcmp(fields->element[i + 1]->str, id) == 0;
        }
    }
    return false;
}

static void ask_range(struct talk *talk, const char *key, const char *entry_id)
{
    const char *words[] = {"XRANGE", key, entry_id, entry_id};

    add_command(talk, 4, words);
}

/* The reply to XRANGE; an error of Redis is one of ours. */
static enum lb_err receive_range(struct talk *talk, redisReply **reply_out)
{
    enum lb_err rc = receive(talk, reply_out);

    return *reply_out != NULL && (*reply_out)->type == REDIS_REPLY_ERROR
               ? refuse(talk, (*reply_out)->str)
               : rc;
}

/* Whether the entry that is there under our number is ours. */
static enum lb_err look_again(struct talk *talk,
                              const struct redis_entry *entry,
                              bool *is_ours_out)
{
    redisReply *reply = NULL;
    enum lb_err rc = receive_range(talk, &reply);

    *is_ours_out = rc == LB_OK && has_id(reply, entry->id);
    freeReplyObject(reply);
    return rc;
}

static bool is_behind(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR &&
           strstr(reply->str, "equal or smaller than the target stream top") !=
               NULL;
}

/* The reply to an XADD.  *is_known_out: with `exact`, it has to be looked for.
 */
static enum lb_err take_reply(struct talk *talk, bool *is_known_out)
{
    redisReply *reply = NULL;
    enum lb_err rc = receive(talk, &reply);

    *is_known_out = false;
    if (reply == NULL) {
        return rc;
    }
    if (reply->type == REDIS_REPLY_STRING) {
        (void)snprintf(talk->last, sizeof(talk->last), "%.40s", reply->str);
    } else if (is_behind(reply)) {
        *is_known_out = true;
    } else {
        rc = refuse(talk, reply->type == REDIS_REPLY_ERROR ? reply->str
                                                           : "no entry's id");
    }
    freeReplyObject(reply);
    return rc;
}

/* --- all
 * ------------------------------------------------------------------------ */

static enum lb_err log_in(struct talk *talk, const struct place *place)
{
    const char *words[] = {"AUTH", place->user, place->password};
    char number[16];
    const char *choice[] = {"SELECT", number};
    int commands = 0;
    enum lb_err rc;

    (void)snprintf(number, sizeof(number), "%u", place->db);
    if (place->password[0] != '\0' && place->user[0] != '\0') {
        add_command(talk, 3, words);
        commands++;
    } else if (place->password[0] != '\0') {
        words[1] = place->password;
        add_command(talk, 2, words);
        commands++;
    }
    if (place->db != 0) {
        add_command(talk, 2, choice);
        commands++;
    }
    rc = commands == 0 ? LB_OK : flush(talk);
    for (int i = 0; i < commands && rc == LB_OK; i++) {
        redisReply *reply = NULL;

        rc = receive(talk, &reply);
        if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
            rc = refuse(talk, reply->str);
        }
        freeReplyObject(reply);
    }
    return rc;
}

/* The stream has gone past our numbers: the entries are ours, or were and have
 * been cut off (MAXLEN, XDEL) while later ones of them are there; else somebody
 * else writes there. */
static enum lb_err look_for_known(struct talk *talk,
                                  const char *const *lines,
                                  const bool *is_known,
                                  size_t count)
{
    struct redis_entry entry;
    bool is_missing = false;
    enum lb_err rc;

    for (size_t i = 0; i < count; i++) {
        if (is_known[i]) {
            read_row(talk->destination, lines[i], &entry);
            ask_range(talk, entry.key, entry.entry_id);
        }
    }
    rc = flush(talk);
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        if (is_known[i]) {
            bool is_ours = false;

            read_row(talk->destination, lines[i], &entry);
            rc = look_again(talk, &entry, &is_ours);
            is_missing = !is_ours;
        }
    }
    if (rc == LB_OK && is_missing) {
        talk->verdict->outcome = DESTINATION_DISABLE;
        rc = lb_err_set(talk->err, LB_EEXIST,
                        "the stream %.80s is ahead of this log: something else "
                        "writes there, or it is of another log",
                        entry.key);
    }
    return rc;
}

/* As many rows as one pipeline takes. */
static enum lb_err
send_some(struct talk *talk, const char *const *lines, size_t count)
{
    bool is_known[PIPELINE];
    struct redis_entry entry;
    enum lb_err rc;

    for (size_t i = 0; i < count; i++) {
        read_row(talk->destination, lines[i], &entry);
        add_entry(talk, &entry);
    }
    rc = flush(talk);
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        rc = take_reply(talk, &is_known[i]);
    }
    return rc == LB_OK ? look_for_known(talk, lines, is_known, count) : rc;
}

static enum lb_err send_rows(struct talk *talk,
                             const struct destination_rows *rows)
{
    enum lb_err rc = LB_OK;

    for (size_t first = 0; first < rows->count && rc == LB_OK;
         first += PIPELINE) {
        size_t left = rows->count - first;

        rc = send_some(talk, rows->lines + first,
                       left < PIPELINE ? left : PIPELINE);
    }
    return rc;
}

/* With `exact` only the log's numbers are entries' ids: a sample must not go
 * there. */
static enum lb_err send_ping(struct talk *talk)
{
    const char *words[] = {"PING"};
    redisReply *reply = NULL;
    enum lb_err rc;

    add_command(talk, 1, words);
    rc = flush(talk);
    rc = rc == LB_OK ? receive(talk, &reply) : rc;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        rc = refuse(talk, reply->str);
    }
    freeReplyObject(reply);
    return rc;
}

static const char *skips(const struct destination *destination,
                         const struct destination_message *message)
{
    (void)message;
    return lb_json_is_true(destination->body, "exact") ? "exact_stream" : NULL;
}

static enum lb_err send_alert(struct talk *talk,
                              const struct destination_message *message)
{
    struct redis_entry entry = {.entry_id = "*"};
    struct lb_buf data;
    struct facts facts;
    bool is_known = false;
    enum lb_err rc = facts_read(talk->destination, message, &facts, talk->err);

    if (rc != LB_OK) {
        talk->verdict->outcome = DESTINATION_PERMANENT;
        return rc;
    }
    lb_buf_init(&data, DATA_BYTES);
    cJSON_DeleteItemFromObjectCaseSensitive(facts.json, "id");
    lb_json_add_item(&data, facts.json);
    set_key(talk->destination, lb_json_text(facts.data, "site"), entry.key);
    (void)snprintf(entry.id, sizeof(entry.id), "%s", message->id);
    (void)snprintf(entry.type, sizeof(entry.type), "%s", facts.type);
    entry.data = lb_buf_text(&data);
    add_entry(talk, &entry);
    rc = flush(talk);
    rc = rc == LB_OK ? take_reply(talk, &is_known) : rc;
    lb_buf_deinit(&data);
    facts_free(&facts);
    return rc;
}

static void redis_write(const struct destination *destination,
                        const struct destination_message *message,
                        struct destination_verdict *verdict,
                        struct lb_error *err)
{
    struct talk talk = {
        .destination = destination, .verdict = verdict, .err = err};
    struct place place;
    enum lb_err rc;

    if (!read_place(destination->url, &place)) {
        verdict->outcome = DESTINATION_AUTH;
        (void)lb_err_set(err, LB_EINVAL,
                         "its address is none of Redis: redis://host:6379/0");
        return;
    }
    lb_buf_init(&talk.out, PIPELINE_BYTES);
    rc = dial_open(message->dials,
                   &(struct dial_place){place.host, place.port, place.is_tls},
                   destination->timeout_ms, &talk.dial, err);
    verdict->outcome =
        rc == LB_EFORBIDDEN ? DESTINATION_AUTH : DESTINATION_RETRY;
    talk.reader = redisReaderCreate();
    if (rc == LB_OK && talk.reader == NULL) {
        rc = lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    rc = rc == LB_OK ? log_in(&talk, &place) : rc;
    if (rc == LB_OK) {
        rc = message->rows != NULL ? send_rows(&talk, message->rows)
             : skips(destination, message) != NULL ? send_ping(&talk)
                                                   : send_alert(&talk, message);
    }
    if (rc == LB_OK) {
        verdict->outcome = DESTINATION_SUCCESS;
        (void)snprintf(verdict->remote_id, sizeof(verdict->remote_id), "%s",
                       talk.last);
    }
    if (talk.reader != NULL) {
        redisReaderFree(talk.reader);
    }
    dial_close(talk.dial);
    lb_buf_deinit(&talk.out);
}

const struct destination_type redis_stream_type = {.name = "redis_stream",
                                                   .place =
                                                       DESTINATION_SECRET_URL,
                                                   .may_have_login = true,
                                                   .keys = keys,
                                                   .needs = needs,
                                                   .stream_rows = STREAM_ROWS,
                                                   .check = check,
                                                   .skips = skips,
                                                   .write = redis_write};
