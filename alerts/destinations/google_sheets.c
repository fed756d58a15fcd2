/* google_sheets.c - a row of a Google sheet: by a service account (a signed
 * claim buys an access token, kept in the lane until shortly before its end),
 * or by an Apps Script web app.  Appending has no key: after an attempt whose
 * answer nobody saw the column of ids is read first. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "alerts/destination.h"
#include "alerts/facts.h"
#include "base/json.h"
#include "base/jwt.h"
#include "base/secret_read.h"
#include "base/text.h"

#define CREDENTIALS_BYTES 16384
#define TOKEN_LIFE_S 3600
/* A token is not used in its last minutes. */
#define TOKEN_SPARE_S INT64_C(300)
#define WAIT_MS 60000 /* when the service does not say how long */
#define CELL_UNITS 5000

enum step {
    STEP_FIRST,
    STEP_WITH_TOKEN,
    STEP_APPEND,
    STEP_RENEW,  /* the token was refused */
    STEP_RENEWED /* so was not the second one */
};

static const char *const keys[] = {"credentials_file", "spreadsheet", "range",
                                   "columns",          "token_env",   NULL};
static const char *const needs[] = {"columns", NULL};

static bool is_script(const struct destination *destination)
{
    return lb_json_text(destination->body, "url_env") != NULL ||
           lb_json_text(destination->body, "url_file") != NULL;
}

static void check(const struct lb_yaml *destination,
                  struct lb_config_faults *faults)
{
    static const char *const of_account[] = {"credentials_file", "spreadsheet",
                                             "range"};
    const struct lb_yaml *columns = lb_yaml_find(destination, "columns");
    bool is_by_script = lb_yaml_find(destination, "url_env") != NULL ||
                        lb_yaml_find(destination, "url_file") != NULL;
    bool has_id = false;

    for (size_t i = 0; i < 3 && !is_by_script; i++) {
        if (lb_yaml_find(destination, of_account[i]) == NULL) {
            lb_config_fault(faults, destination->line, destination->column,
                            of_account[i],
                            "is missing; or url_env of an Apps Script");
        }
    }
    for (const struct lb_yaml *item =
             columns == NULL || columns->kind != LB_YAML_LIST ? NULL
                                                              : columns->child;
         item != NULL; item = item->next) {
        has_id = has_id || (item->kind == LB_YAML_SCALAR &&
                            strcmp(item->text, "id") == 0);
    }
    if (columns != NULL && !has_id) {
        lb_config_fault(faults, columns->line, columns->column, "columns",
                        "must be a list with id in it, by which repeats are "
                        "found");
    }
}

/* --- requests
 * ------------------------------------------------------------------------ */

static enum lb_err render_token(const struct destination *destination,
                                const struct destination_message *message,
                                struct destination_request *request,
                                struct lb_error *err)
{
    const char *path = lb_json_text(destination->body, "credentials_file");
    char text[CREDENTIALS_BYTES];
    struct lb_buf header;
    struct lb_buf claims;
    const char *uri;
    cJSON *json;
    enum lb_err rc =
        lb_secret_read_file(path == NULL ? "" : path, text, sizeof(text), err);

    if (rc != LB_OK) {
        return LB_EAUTH;
    }
    json = cJSON_Parse(text);
    uri = lb_json_text(json, "token_uri");
    lb_buf_init(&header, CREDENTIALS_BYTES);
    lb_buf_init(&claims, CREDENTIALS_BYTES);
    lb_buf_add_text(&header, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":");
    lb_json_add_plain_string(&header, lb_json_text(json, "private_key_id"));
    lb_buf_add_char(&header, '}');
    lb_buf_add_text(&claims, "{\"iss\":");
    lb_json_add_plain_string(&claims, lb_json_text(json, "client_email"));
    lb_buf_add_text(&claims, ",\"scope\":\"https://www.googleapis.com/auth/"
                             "spreadsheets\",\"aud\":");
    lb_json_add_plain_string(&claims, uri);
    lb_buf_printf(&claims, ",\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}",
                  message->now_s, message->now_s + TOKEN_LIFE_S);
    lb_buf_clear(&request->url);
    lb_buf_add_text(&request->url, uri == NULL ? "" : uri);
    lb_buf_add_text(&request->headers,
                    "Content-Type: application/x-www-form-urlencoded\n");
    lb_buf_add_text(&request->body,
                    "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3A"
                    "jwt-bearer&assertion=");
    if (uri == NULL || lb_json_text(json, "private_key") == NULL ||
        lb_jwt_sign(lb_buf_text(&header), lb_buf_text(&claims),
                    lb_json_text(json, "private_key"), &request->body,
                    err) != LB_OK) {
        rc = LB_EAUTH;
    }
    lb_buf_deinit(&header);
    lb_buf_deinit(&claims);
    cJSON_Delete(json);
    return rc;
}

static void add_row(struct lb_buf *out,
                    const struct destination *destination,
                    const struct facts *facts)
{
    const cJSON *column;

    lb_buf_add_char(out, '[');
    cJSON_ArrayForEach (column, cJSON_GetObjectItemCaseSensitive(
                                    destination->body, "columns")) {
        const cJSON *value = cJSON_IsString(column)
                                 ? facts_find(facts, column->valuestring)
                                 : NULL;

        lb_json_add_comma(out);
        if (value == NULL) {
            lb_buf_add_text(out, "\"\"");
        } else if (cJSON_IsString(value)) {
            facts_add_json(out, value->valuestring, CELL_UNITS, NULL);
        } else {
            lb_json_add_item(out, value);
        }
    }
    lb_buf_add_char(out, ']');
}

static void add_values_url(struct lb_buf *url,
                           const struct destination *destination,
                           const char *range)
{
    const char *sheet = lb_json_text(destination->body, "spreadsheet");

    lb_buf_add_text(url, "/v4/spreadsheets/");
    lb_text_percent_encode(url, sheet == NULL ? "" : sheet);
    lb_buf_add_text(url, "/values/");
    lb_text_percent_encode(url, range);
}

static void render_append(const struct destination *destination,
                          const struct facts *facts,
                          struct destination_request *request)
{
    const char *range = lb_json_text(destination->body, "range");

    add_values_url(&request->url, destination, range == NULL ? "A1" : range);
    lb_buf_add_text(&request->url,
                    ":append?valueInputOption=RAW&insertDataOption=INSERT_ROWS&"
                    "includeValuesInResponse=false");
    lb_buf_add_text(&request->body,
                    "{\"majorDimension\":\"ROWS\",\"values\":[");
    add_row(&request->body, destination, facts);
    lb_buf_add_text(&request->body, "]}");
}

/* Number of the first column of "Leads!B2", from 0. */
static int first_column(const char *cell)
{
    int number = 0;

    char letter = lb_text_fold(*cell);

    while (letter >= 'a' && letter <= 'z' && number < 20000) {
        number = number * 26 + letter - 'a' + 1;
        letter = lb_text_fold(*++cell);
    }
    return number == 0 ? 0 : number - 1;
}

/* The letters of a column. */
static void write_column(int number, char out[8])
{
    char letters[8];
    size_t count = 0;
    size_t len = 0;

    for (number++; number > 0 && count < sizeof(letters) - 1;
         number = (number - 1) / 26) {
        letters[count++] = (char)('A' + (number - 1) % 26);
    }
    while (count > 0) {
        out[len++] = letters[--count];
    }
    out[len] = '\0';
}

/* The column of ids, whole. */
static void render_read(const struct destination *destination,
                        struct destination_request *request)
{
    const char *range = lb_json_text(destination->body, "range");
    const char *mark = range == NULL ? NULL : strrchr(range, '!');
    const char *cell = mark != NULL ? mark + 1 : range == NULL ? "A1" : range;
    const cJSON *column;
    char letters[8];
    struct lb_buf whole;
    int index = 0;

    cJSON_ArrayForEach (column, cJSON_GetObjectItemCaseSensitive(
                                    destination->body, "columns")) {
        if (cJSON_IsString(column) && strcmp(column->valuestring, "id") == 0) {
            break;
        }
        index++;
    }
    write_column(first_column(cell) + index, letters);
    lb_buf_init(&whole, CREDENTIALS_BYTES);
    lb_buf_printf(&whole, "%.*s%s:%s",
                  (int)(cell - (range == NULL ? cell : range)),
                  range == NULL ? "" : range, letters, letters);
    request->method = "GET";
    request->is_answer_long = true;
    add_values_url(&request->url, destination, lb_buf_text(&whole));
    lb_buf_add_text(&request->url, "?majorDimension=COLUMNS");
    lb_buf_deinit(&whole);
}

static void render_script(const struct destination *destination,
                          const struct destination_message *message,
                          const struct facts *facts,
                          struct destination_request *request)
{
    lb_buf_add_text(&request->body, "{\"rows\":[");
    add_row(&request->body, destination, facts);
    lb_buf_add_text(&request->body, "],\"ids\":[");
    lb_json_add_plain_string(&request->body, message->id);
    lb_buf_add_text(&request->body, "],\"token\":");
    lb_json_add_plain_string(&request->body, destination->token);
    lb_buf_add_char(&request->body, '}');
}

static enum lb_err sheets_render(const struct destination *destination,
                                 const struct destination_message *message,
                                 struct destination_request *request,
                                 struct lb_error *err)
{
    const struct destination_memory *memory = destination->memory;
    bool has_token = memory->text[0] != '\0' &&
                     message->now_s < memory->until_s &&
                     message->step != STEP_RENEW;
    struct facts facts;
    enum lb_err rc = LB_OK;

    if (!is_script(destination) && !has_token) {
        return render_token(destination, message, request, err);
    }
    rc = facts_read(destination, message, &facts, err);
    if (rc != LB_OK) {
        return rc;
    }
    if (is_script(destination)) {
        render_script(destination, message, &facts, request);
    } else {
        lb_buf_printf(&request->headers, "Authorization: Bearer %s\n",
                      memory->text);
        if (message->tries > 0 && message->step != STEP_APPEND) {
            render_read(destination, request);
        } else {
            render_append(destination, &facts, request);
        }
    }
    facts_free(&facts);
    return LB_OK;
}

/* --- answers
 * ------------------------------------------------------------------------ */

/* `values` is a list of columns, of which one was asked for. */
static bool has_id(const cJSON *json, const char *id)
{
    const cJSON *cell =
        cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "values"), 0);

    cell = cell == NULL ? NULL : cell->child;
    while (cell != NULL &&
           !(cJSON_IsString(cell) && strcmp(cell->valuestring, id) == 0)) {
        cell = cell->next;
    }
    return cell != NULL;
}

static void keep_token(const struct destination *destination,
                       const struct destination_message *message,
                       const cJSON *json,
                       struct destination_verdict *verdict)
{
    struct destination_memory *memory = destination->memory;
    const char *token = lb_json_text(json, "access_token");
    int64_t life_s = lb_json_int(json, "expires_in");

    (void)snprintf(memory->text, sizeof(memory->text), "%s", token);
    memory->until_s =
        message->now_s +
        (life_s > 2 * TOKEN_SPARE_S ? life_s - TOKEN_SPARE_S : life_s / 2);
    verdict->outcome = DESTINATION_NEXT;
    verdict->next_step =
        message->step == STEP_RENEW ? STEP_RENEWED : STEP_WITH_TOKEN;
}

static void judge_success(const struct destination *destination,
                          const struct destination_message *message,
                          const cJSON *json,
                          struct destination_verdict *verdict)
{
    const cJSON *updates = cJSON_GetObjectItemCaseSensitive(json, "updates");
    const char *range = lb_json_text(updates, "updatedRange");

    if (lb_json_text(json, "access_token") != NULL) {
        keep_token(destination, message, json, verdict);
    } else if (updates != NULL) {
        (void)snprintf(verdict->remote_id, sizeof(verdict->remote_id), "%.60s",
                       range == NULL ? "" : range);
    } else if (lb_json_text(json, "range") == NULL) {
        verdict->outcome = DESTINATION_RETRY; /* no answer of Sheets */
    } else if (!has_id(json, message->id)) {
        verdict->outcome = DESTINATION_NEXT;
        verdict->next_step = STEP_APPEND;
    }
}

static bool is_about_rate(const char *body)
{
    return strstr(body, "ateLimitExceeded") != NULL ||
           strstr(body, "RATE_LIMIT") != NULL ||
           strstr(body, "RESOURCE_EXHAUSTED") != NULL;
}

static void judge_refusal(const struct destination *destination,
                          const struct destination_message *message,
                          const struct destination_answer *answer,
                          struct destination_verdict *verdict)
{
    switch (answer->status) {
    case 400:
        /* The token's address answers so to a claim that it does not take. */
        verdict->outcome = strstr(answer->body, "invalid_grant") != NULL
                               ? DESTINATION_AUTH
                               : DESTINATION_PERMANENT;
        break;
    case 401:
        destination->memory->text[0] = '\0';
        verdict->outcome =
            message->step == STEP_RENEW || message->step == STEP_RENEWED
                ? DESTINATION_AUTH
                : DESTINATION_NEXT;
        verdict->next_step = STEP_RENEW;
        break;
    case 403:
        verdict->outcome = is_about_rate(answer->body) ? DESTINATION_THROTTLED
                                                       : DESTINATION_AUTH;
        break;
    case 404:
        verdict->outcome = DESTINATION_DISABLE;
        break;
    default:
        break;
    }
    if (verdict->outcome == DESTINATION_THROTTLED) {
        verdict->wait_ms =
            answer->retry_after_ms > 0 ? answer->retry_after_ms : WAIT_MS;
    }
}

static void sheets_judge(const struct destination *destination,
                         const struct destination_message *message,
                         const struct destination_answer *answer,
                         struct destination_verdict *verdict)
{
    cJSON *json;

    destination_judge(answer, verdict);
    if (is_script(destination)) {
        /* It leads on to its answer after it has run. */
        if (answer->status == 302) {
            verdict->outcome = DESTINATION_SUCCESS;
        } else if (answer->status == 401 || answer->status == 403) {
            verdict->outcome = DESTINATION_AUTH;
        } else if (answer->status == 404) {
            verdict->outcome = DESTINATION_DISABLE;
        }
        return;
    }
    if (verdict->outcome != DESTINATION_SUCCESS) {
        judge_refusal(destination, message, answer, verdict);
        return;
    }
    json = cJSON_Parse(answer->body);
    judge_success(destination, message, json, verdict);
    cJSON_Delete(json);
}

const struct destination_type google_sheets_type = {
    .name = "google_sheets",
    .place = DESTINATION_SERVICE,
    .service = "https://sheets.googleapis.com",
    .may_have_url = true,
    .rate = "50/m",
    .keys = keys,
    .needs = needs,
    .needs_body = true,
    .check = check,
    .render = sheets_render,
    .judge = sheets_judge};
