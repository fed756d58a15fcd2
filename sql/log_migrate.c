/* log_migrate.c - rows of an event each into packs. */
#include "sql/log_migrate.h"

#include <string.h>

#include "sql/log_pack.h"

#define COLUMNS 29
#define FIRST_DICT_COLUMN 8
#define AMOUNT_COLUMN 17
#define FIRST_TEXT_COLUMN 18

static void read_row(sqlite3_value **values, struct entry *event)
{
    static const enum entry_text texts[] = {
        ENTRY_TEXT_CURRENCY, ENTRY_TEXT_ID,          ENTRY_TEXT_NAME,
        ENTRY_TEXT_HOST,     ENTRY_TEXT_PAGE,        ENTRY_TEXT_REFERRER,
        ENTRY_TEXT_UTM_TERM, ENTRY_TEXT_UTM_CONTENT, ENTRY_TEXT_CLICK_ID,
        ENTRY_TEXT_PROPS};

    memset(event, 0, sizeof(*event));
    event->seq = sqlite3_value_int64(values[0]);
    event->site = sqlite3_value_int64(values[1]);
    event->ts_at_ms = sqlite3_value_int64(values[2]);
    event->received_at_ms = sqlite3_value_int64(values[3]);
    entry_set_bits(event, sqlite3_value_int64(values[4]));
    event->id_hash = (uint64_t)sqlite3_value_int64(values[5]);
    event->visitor_day = sqlite3_value_int64(values[6]);
    event->visitor = sqlite3_value_int64(values[7]);
    for (int i = 0; i < ENTRY_DICT_COUNT; i++) {
        event->dict[i] = sqlite3_value_int64(values[FIRST_DICT_COLUMN + i]);
    }
    event->has_amount =
        sqlite3_value_type(values[AMOUNT_COLUMN]) != SQLITE_NULL;
    event->amount_hundredths = sqlite3_value_int64(values[AMOUNT_COLUMN]);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        event->text[texts[i]] =
            (const char *)sqlite3_value_text(values[FIRST_TEXT_COLUMN + i]);
    }
    event->bot_entry = (uint32_t)sqlite3_value_int64(values[COLUMNS - 1]);
}

static void
event_pack(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct log_pack pack;
    struct entry event;

    (void)count;
    log_pack_init(&pack);
    read_row(values, &event);
    log_pack_add(&pack, &event);
    if (pack.body.is_failed) {
        sqlite3_result_error_nomem(context);
    } else {
        sqlite3_result_blob64(context, pack.body.data, pack.body.len,
                              SQLITE_TRANSIENT);
    }
    log_pack_deinit(&pack);
}

int log_migrate_functions(sqlite3 *handle, bool is_there)
{
    return sqlite3_create_function_v2(
        handle, "event_pack", COLUMNS, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
        is_there ? event_pack : NULL, NULL, NULL, NULL);
}
