/* alerts_store.c - lists of alerts and deliveries as JSON. */
#include "alerts/alerts_store.h"

#include <sqlite3.h>
#include <string.h>

#include "base/json.h"

#define ALERT_BYTES ((size_t)256 * 1024)

static const char *text_at(sqlite3_stmt *stmt, int column)
{
    return (const char *)sqlite3_column_text(stmt, column);
}

static enum lb_err add_deliveries(struct db *db,
                                  const char *message,
                                  struct lb_buf *out,
                                  struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERTS_DELIVERIES_OF);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, message);
    }
    lb_buf_add_text(out, ",\"deliveries\":[");
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        lb_json_add_comma(out);
        lb_buf_add_text(out, "{\"id\":");
        lb_json_add_string(out, text_at(stmt, 0));
        lb_buf_add_text(out, ",\"destination\":");
        lb_json_add_string(out, text_at(stmt, 1));
        lb_buf_add_text(out, ",\"state\":");
        lb_json_add_string(out, text_at(stmt, 2));
        lb_buf_add_char(out, '}');
    }
    lb_buf_add_char(out, ']');
    return rc;
}

/* The keys of an alert in their order; what the kind has not is null. */
static void add_data(struct lb_buf *out, const cJSON *data)
{
    static const char *const keys[] = {
        "rule",        "kind",      "severity",      "site",
        "group",       "metric",    "value",         "expected",
        "probability", "window",    "contributors",  "coverage",
        "summary",     "stats_url", "dashboard_url", "event"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        lb_json_add_key(out, keys[i]);
        lb_json_add_item(out, cJSON_GetObjectItemCaseSensitive(data, keys[i]));
    }
}

static void bind_question(sqlite3_stmt *stmt,
                          const struct alerts_store_question *question,
                          const char *fourth)
{
    if (stmt == NULL) {
        return;
    }
    db_bind_text(stmt, 1, question->site);
    db_bind_text(stmt, 2, question->rule);
    db_bind_text(stmt, 3, question->state);
    db_bind_text(stmt, 4, fourth);
    (void)sqlite3_bind_int64(stmt, 5, question->from_at_ms);
    (void)sqlite3_bind_int64(stmt, 6, question->to_at_ms);
    (void)sqlite3_bind_int64(stmt, 7, question->before_number);
}

static void
end_list(struct lb_buf *out, int64_t count, int64_t limit, int64_t last_number)
{
    if (count > limit) {
        lb_buf_printf(out, "],\"next\":\"%lld\"}", (long long)last_number);
    } else {
        lb_buf_add_text(out, "],\"next\":null}");
    }
}

static void add_time_or_null(struct lb_buf *out, sqlite3_stmt *stmt, int column)
{
    if (sqlite3_column_type(stmt, column) == SQLITE_NULL) {
        lb_buf_add_text(out, "null");
    } else {
        lb_json_add_time(out, sqlite3_column_int64(stmt, column));
    }
}

/* The row on which the statement stands. */
static void add_columns(sqlite3_stmt *stmt, struct lb_buf *out)
{
    cJSON *data = cJSON_Parse(text_at(stmt, 5));

    lb_buf_add_text(out, "{\"id\":");
    lb_json_add_string(out, text_at(stmt, 1));
    add_data(out, data);
    lb_buf_add_text(out, ",\"fired\":");
    lb_json_add_time(out, sqlite3_column_int64(stmt, 2));
    lb_buf_add_text(out, ",\"resolved\":");
    add_time_or_null(out, stmt, 7);
    lb_buf_add_text(out, ",\"acked\":");
    add_time_or_null(out, stmt, 8);
    lb_buf_add_text(out, ",\"state\":");
    lb_json_add_string(out, text_at(stmt, 3));
    lb_buf_add_text(out, ",\"held_back\":");
    lb_json_add_string(out, text_at(stmt, 4));
    cJSON_Delete(data);
}

static enum lb_err add_alert(struct db *db,
                             sqlite3_stmt *stmt,
                             struct lb_buf *out,
                             struct lb_error *err)
{
    enum lb_err rc;

    add_columns(stmt, out);
    rc = add_deliveries(db, text_at(stmt, 1), out, err);
    lb_buf_add_char(out, '}');
    return rc;
}

enum lb_err alerts_store_tell_all(struct db *db,
                                  const struct alerts_store_question *question,
                                  struct lb_buf *alerts,
                                  struct lb_buf *held,
                                  int64_t *count_out,
                                  struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERTS_REHEARSED);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, question->from_at_ms);
        (void)sqlite3_bind_int64(stmt, 2, question->to_at_ms);
    }
    *count_out = 0;
    lb_buf_add_char(alerts, '[');
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        lb_buf_add_text(alerts, *count_out == 0 ? "" : ",");
        add_columns(stmt, alerts);
        lb_buf_add_char(alerts, '}');
        (*count_out)++;
    }
    lb_buf_add_char(alerts, ']');
    stmt = rc == LB_OK ? db_stmt(db, SQL_ALERTS_REHEARSED_HELD) : NULL;
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, question->from_at_ms);
        (void)sqlite3_bind_int64(stmt, 2, question->to_at_ms);
    }
    lb_buf_add_char(held, '{');
    while (rc == LB_OK && (rc = db_next(db, stmt, &has_row, err)) == LB_OK &&
           has_row) {
        lb_json_add_key(held, text_at(stmt, 0));
        lb_buf_add_int(held, sqlite3_column_int64(stmt, 1));
    }
    lb_buf_add_char(held, '}');
    return rc;
}

static enum lb_err
find_last(struct db *db, int64_t *number_out, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERTS_LAST);
    bool has_row = false;
    enum lb_err rc = db_next(db, stmt, &has_row, err);

    if (has_row) {
        *number_out = sqlite3_column_int64(stmt, 0);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err alerts_store_since(struct db *db,
                               const struct alert_feed *feed,
                               int64_t *number_in_out,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt;
    struct lb_buf alert;
    bool has_row = false;
    enum lb_err rc;

    if (*number_in_out < 0) {
        return find_last(db, number_in_out, err);
    }
    stmt = db_stmt(db, SQL_ALERTS_SINCE);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, *number_in_out);
        (void)sqlite3_bind_int64(stmt, 2, ALERTS_STORE_SINCE);
    }
    lb_buf_init(&alert, ALERT_BYTES);
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        *number_in_out = sqlite3_column_int64(stmt, 0);
        if (!feed->may_site(feed->ctx, text_at(stmt, 6))) {
            continue;
        }
        lb_buf_clear(&alert);
        rc = add_alert(db, stmt, &alert, err);
        if (rc == LB_OK && !alert.is_failed) {
            feed->add(feed->ctx, &alert);
        }
    }
    lb_buf_deinit(&alert);
    return rc;
}

enum lb_err
alerts_store_list_alerts(struct db *db,
                         const struct alerts_store_question *question,
                         struct lb_buf *out,
                         struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERTS_LIST);
    int64_t last_number = 0;
    int64_t count = 0;
    bool has_row = false;
    enum lb_err rc;

    bind_question(stmt, question, question->severity);
    lb_buf_add_text(out, "{\"data\":[");
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        if (!question->may_site(question->ctx, text_at(stmt, 6))) {
            continue;
        }
        if (++count > question->limit) {
            (void)sqlite3_reset(stmt);
            break;
        }
        last_number = sqlite3_column_int64(stmt, 0);
        lb_json_add_comma(out);
        rc = add_alert(db, stmt, out, err);
        if (rc != LB_OK) {
            (void)sqlite3_reset(stmt);
            return rc;
        }
    }
    end_list(out, count, question->limit, last_number);
    return rc;
}

enum lb_err alerts_store_get_alert(struct db *db,
                                   const char *id,
                                   const struct alerts_store_question *question,
                                   struct lb_buf *out,
                                   struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERTS_GET);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, id);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (rc != LB_OK) {
        return rc;
    }
    if (!has_row || !question->may_site(question->ctx, text_at(stmt, 6))) {
        (void)sqlite3_reset(stmt);
        return lb_err_set(err, LB_ENOTFOUND, "there is no such alert");
    }
    rc = add_alert(db, stmt, out, err);
    (void)sqlite3_reset(stmt);
    return rc;
}

enum lb_err alerts_store_acknowledge(struct db *db,
                                     const char *id,
                                     int64_t at_ms,
                                     const char *note,
                                     struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERTS_ACKNOWLEDGE);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, id);
        (void)sqlite3_bind_int64(stmt, 2, at_ms);
        db_bind_text(stmt, 3, note);
    }
    return db_run(db, stmt, err);
}

/* The row on which the statement stands, without the closing bracket. */
static void add_delivery(sqlite3_stmt *stmt, struct lb_buf *out)
{
    static const char *const texts[] = {"id",   "message",     "type", "rule",
                                        "site", "destination", "state"};

    lb_json_add_comma(out);
    lb_buf_add_char(out, '{');
    for (int i = 0; i < 7; i++) {
        lb_json_add_key(out, texts[i]);
        lb_json_add_string(out, text_at(stmt, 1 + i));
    }
    lb_buf_add_text(out, ",\"created\":");
    lb_json_add_time(out, sqlite3_column_int64(stmt, 8));
    lb_buf_add_text(out, ",\"due\":");
    lb_json_add_time(out, sqlite3_column_int64(stmt, 9));
    lb_buf_printf(out, ",\"attempts\":%lld,\"reason\":",
                  (long long)sqlite3_column_int64(stmt, 10));
    lb_json_add_string(out, text_at(stmt, 11));
    lb_buf_add_text(out, ",\"remote_id\":");
    lb_json_add_string(out, text_at(stmt, 12));
}

static void add_attempt(sqlite3_stmt *stmt, struct lb_buf *out)
{
    static const struct {
        const char *key;
        bool is_text;
    } columns[] = {{"ms", false},
                   {"dns_ms", false},
                   {"connect_ms", false},
                   {"tls_ms", false},
                   {"first_byte_ms", false},
                   {"address", true},
                   {"outcome", true},
                   {"status", false},
                   {"error", true},
                   {"request_bytes", false},
                   {"excerpt", true}};

    lb_json_add_comma(out);
    lb_buf_printf(out, "{\"number\":%lld,\"started\":",
                  (long long)sqlite3_column_int64(stmt, 0));
    lb_json_add_time(out, sqlite3_column_int64(stmt, 1));
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        int column = (int)i + 2;

        lb_json_add_key(out, columns[i].key);
        if (columns[i].is_text) {
            lb_json_add_string(out, text_at(stmt, column));
        } else if (sqlite3_column_type(stmt, column) == SQLITE_NULL) {
            lb_buf_add_text(out, "null");
        } else {
            lb_buf_add_int(out, sqlite3_column_int64(stmt, column));
        }
    }
    lb_buf_add_char(out, '}');
}

static enum lb_err
add_log(struct db *db, const char *id, struct lb_buf *out, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERTS_ATTEMPTS);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, id);
    }
    lb_buf_add_text(out, ",\"log\":[");
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        add_attempt(stmt, out);
    }
    lb_buf_add_char(out, ']');
    return rc;
}

enum lb_err
alerts_store_get_delivery(struct db *db,
                          const struct alerts_store_delivery *wanted,
                          const struct alerts_store_question *question,
                          struct lb_buf *out,
                          struct alerts_store_state *state_out,
                          struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERTS_DELIVERY);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, wanted->id);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (rc != LB_OK) {
        return rc;
    }
    if (!has_row || !question->may_site(question->ctx, text_at(stmt, 5))) {
        (void)sqlite3_reset(stmt);
        return lb_err_set(err, LB_ENOTFOUND, "there is no such delivery");
    }
    state_out->is_sending = strcmp(text_at(stmt, 7), "sending") == 0;
    state_out->is_erased = sqlite3_column_int(stmt, 14) != 0;
    add_delivery(stmt, out);
    if (wanted->has_body) {
        lb_buf_add_text(out, ",\"body\":");
        lb_buf_add_text(out, text_at(stmt, 13));
    }
    (void)sqlite3_reset(stmt);
    rc = wanted->has_log ? add_log(db, wanted->id, out, err) : LB_OK;
    lb_buf_add_char(out, '}');
    return rc;
}

enum lb_err
alerts_store_list_deliveries(struct db *db,
                             const struct alerts_store_question *question,
                             struct lb_buf *out,
                             struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERTS_DELIVERIES);
    int64_t last_number = 0;
    int64_t count = 0;
    bool has_row = false;
    enum lb_err rc;

    bind_question(stmt, question, question->destination);
    lb_buf_add_text(out, "{\"data\":[");
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        if (!question->may_site(question->ctx, text_at(stmt, 5))) {
            continue;
        }
        if (++count > question->limit) {
            (void)sqlite3_reset(stmt);
            break;
        }
        last_number = sqlite3_column_int64(stmt, 0);
        add_delivery(stmt, out);
        lb_buf_add_char(out, '}');
    }
    end_list(out, count, question->limit, last_number);
    return rc;
}
