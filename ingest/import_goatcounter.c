/* import_goatcounter.c - rows of GoatCounter. */
#include "ingest/import_goatcounter.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/zone.h"
#include "ingest/agent.h"
#include "ingest/import_table.h"

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

enum goat {
    GOAT_EVENT,
    GOAT_AGENT,
    GOAT_BROWSER,
    GOAT_SESSION,
    GOAT_BOT,
    GOAT_REFERRER,
    GOAT_SCHEME,
    GOAT_LOCATION,
    GOAT_TITLE,
    GOAT_DATE,
    GOAT_COUNT
};

struct import_goatcounter {
    int places[GOAT_COUNT];
    size_t cell_count;
    bool is_first_version; /* its Browser is the user agent */
};

enum lb_err import_goatcounter_new(const char *header,
                                   struct import_goatcounter **goatcounter_out,
                                   struct lb_error *err)
{
    static const char *const names[] = {
        "Event",           "UserAgent", "Browser", "Session", "Bot", "Referrer",
        "Referrer scheme", "Location",  "Title",   "Date",    NULL};
    struct import_goatcounter *goatcounter = calloc(1, sizeof(*goatcounter));
    enum lb_err rc;

    *goatcounter_out = NULL;
    if (goatcounter == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    rc = import_table_find(header, names, goatcounter->places,
                           &goatcounter->cell_count, err);
    goatcounter->is_first_version = header[0] == '1';
    if (rc == LB_OK && (strstr(header, "Path") == NULL ||
                        goatcounter->places[GOAT_DATE] < 0)) {
        rc = lb_err_set(err, LB_EFORMAT,
                        "this is no export of GoatCounter: its first row "
                        "begins with 2Path and has a Date");
    }
    if (rc != LB_OK) {
        free(goatcounter);
        return rc;
    }
    *goatcounter_out = goatcounter;
    return LB_OK;
}

static void put_origin(struct import_reading *reading,
                       const char *scheme,
                       const char *referrer)
{
    if (is(scheme, "c") || is(scheme, "g")) {
        /* A campaign's name, or a name that stands for several sites. */
        import_reading_put_in(reading, import_reading_group(reading, "utm"),
                              "source", referrer);
    } else if (is(scheme, "o") && referrer[0] != '\0' &&
               strstr(referrer, "://") == NULL) {
        import_reading_put(
            reading, "referrer",
            import_reading_print(reading, "android-app://%s", referrer));
    } else {
        import_table_put_referrer(reading, referrer);
    }
}

/* "US" or "US-TX". */
static void put_location(struct import_reading *reading, const char *location)
{
    if (lb_text_is_made_of(location, "A-Z", 2) && location[1] != '\0') {
        import_reading_put(reading, "country", location);
    } else if (strlen(location) > 3 && location[2] == '-') {
        import_reading_put(reading, "country",
                           import_reading_print(reading, "%.2s", location));
        import_reading_put_cut(reading, "region", location, IMPORT_TEXT_BYTES);
    }
}

enum import_verdict
import_goatcounter_read(const struct import_goatcounter *goatcounter,
                        struct import_reading *reading)
{
    const int *places = goatcounter->places;
    struct import_cells cells;
    enum import_verdict verdict =
        import_table_read(reading, goatcounter->cell_count, &cells);
    const char *path;
    const char *bot;
    bool is_event;

    if (verdict != IMPORT_EVENT) {
        return verdict;
    }
    if (!lb_zone_parse_instant(import_table_cell(&cells, places[GOAT_DATE]),
                               &reading->event->ts_at_ms)) {
        return import_reading_bad(reading, "bad_ts", "Date",
                                  "Date is no RFC 3339 time");
    }
    bot = import_table_cell(&cells, places[GOAT_BOT]);
    if (bot[0] != '\0' && !is(bot, "0")) {
        return IMPORT_IGNORED; /* GoatCounter does not show them either */
    }
    path = cells.text[0];
    is_event = is(import_table_cell(&cells, places[GOAT_EVENT]), "true");
    import_reading_put(reading, "type", is_event ? "conversion" : "view");
    import_reading_put_cut(reading, is_event ? "name" : "url", path,
                           is_event ? IMPORT_TEXT_BYTES : IMPORT_URL_BYTES);
    import_reading_put_cut(
        reading, "user_agent",
        import_table_cell(&cells, goatcounter->is_first_version
                                      ? places[GOAT_BROWSER]
                                      : places[GOAT_AGENT]),
        AGENT_BYTES);
    import_reading_put_cut(reading, "visitor",
                           import_table_cell(&cells, places[GOAT_SESSION]),
                           IMPORT_TEXT_BYTES);
    put_origin(reading, import_table_cell(&cells, places[GOAT_SCHEME]),
               import_table_cell(&cells, places[GOAT_REFERRER]));
    put_location(reading, import_table_cell(&cells, places[GOAT_LOCATION]));
    if (import_table_cell(&cells, places[GOAT_TITLE])[0] != '\0') {
        import_reading_put_in(reading, import_reading_group(reading, "props"),
                              "title",
                              import_table_cell(&cells, places[GOAT_TITLE]));
    }
    return import_reading_end(reading);
}

void import_goatcounter_free(struct import_goatcounter *goatcounter)
{
    free(goatcounter);
}
