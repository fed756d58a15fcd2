/* import_plausible.c - daily sums of Plausible. */
#include "ingest/import_plausible.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "ingest/import_table.h"

#define NOON_MS (12 * LB_MS_PER_HOUR)

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

enum plausible {
    PLAUSIBLE_DATE,
    PLAUSIBLE_HOSTNAME,
    PLAUSIBLE_PAGE,
    PLAUSIBLE_SOURCE,
    PLAUSIBLE_REFERRER,
    PLAUSIBLE_UTM_SOURCE, /* and the four others in the order of utm */
    PLAUSIBLE_UTM_MEDIUM,
    PLAUSIBLE_UTM_CAMPAIGN,
    PLAUSIBLE_UTM_TERM,
    PLAUSIBLE_UTM_CONTENT,
    PLAUSIBLE_PAGEVIEWS,
    PLAUSIBLE_VISITORS,
    PLAUSIBLE_NAME,
    PLAUSIBLE_LINK_URL,
    PLAUSIBLE_PATH,
    PLAUSIBLE_EVENTS,
    PLAUSIBLE_COUNT
};

enum plausible_kind { KIND_PAGES, KIND_SOURCES, KIND_EVENTS };

struct import_plausible {
    int places[PLAUSIBLE_COUNT];
    size_t cell_count;
    enum plausible_kind kind;
    const struct lb_zone *zone;
};

static bool find_kind(struct import_plausible *plausible)
{
    const int *places = plausible->places;

    if (places[PLAUSIBLE_DATE] < 0) {
        return false;
    }
    if (places[PLAUSIBLE_NAME] >= 0 && places[PLAUSIBLE_EVENTS] >= 0) {
        plausible->kind = KIND_EVENTS;
        return true;
    }
    plausible->kind = places[PLAUSIBLE_PAGE] >= 0 ? KIND_PAGES : KIND_SOURCES;
    return (places[PLAUSIBLE_PAGE] >= 0 || places[PLAUSIBLE_SOURCE] >= 0) &&
           places[PLAUSIBLE_PAGEVIEWS] >= 0;
}

enum lb_err import_plausible_new(const char *header,
                                 const struct lb_zone *zone,
                                 struct import_plausible **plausible_out,
                                 struct lb_error *err)
{
    static const char *const names[] = {
        "date",       "hostname",   "page",         "source",   "referrer",
        "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
        "pageviews",  "visitors",   "name",         "link_url", "path",
        "events",     NULL};
    struct import_plausible *plausible = calloc(1, sizeof(*plausible));
    enum lb_err rc;

    *plausible_out = NULL;
    if (plausible == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    plausible->zone = zone;
    rc = import_table_find(header, names, plausible->places,
                           &plausible->cell_count, err);
    if (rc == LB_OK && !find_kind(plausible)) {
        rc = lb_err_set(
            err, LB_EFORMAT,
            "of Plausible's export load imported_pages or imported_sources "
            "(both count the same views), and imported_custom_events; the "
            "other files hold sums of the same views");
    }
    if (rc != LB_OK) {
        free(plausible);
        return rc;
    }
    *plausible_out = plausible;
    return LB_OK;
}

static void put_source(const struct import_plausible *plausible,
                       struct import_reading *reading,
                       const struct import_cells *cells)
{
    static const char *const keys[] = {"source", "medium", "campaign", "term",
                                       "content"};
    const int *places = plausible->places;
    const char *source = import_table_cell(cells, places[PLAUSIBLE_SOURCE]);
    const char *referrer = import_table_cell(cells, places[PLAUSIBLE_REFERRER]);
    const char *utm_source =
        import_table_cell(cells, places[PLAUSIBLE_UTM_SOURCE]);
    cJSON *utm = import_reading_group(reading, "utm");

    import_table_put_referrer(reading, referrer);
    for (int i = 0; i < 5; i++) {
        import_reading_put_in(
            reading, utm, keys[i],
            import_table_cell(cells, places[PLAUSIBLE_UTM_SOURCE + i]));
    }
    if (referrer[0] == '\0' && utm_source[0] == '\0' &&
        !is(source, "Direct / None")) {
        import_reading_put_in(reading, utm, "source", source);
    }
}

static void put_custom(const struct import_plausible *plausible,
                       struct import_reading *reading,
                       const struct import_cells *cells)
{
    const char *name = cells->text[plausible->places[PLAUSIBLE_NAME]];
    const char *link =
        import_table_cell(cells, plausible->places[PLAUSIBLE_LINK_URL]);
    const char *path =
        import_table_cell(cells, plausible->places[PLAUSIBLE_PATH]);

    if (link[0] != '\0') {
        import_reading_put(reading, "type", "click");
        import_reading_put_cut(reading, "link", link, IMPORT_TEXT_BYTES);
    } else {
        import_reading_put(reading, "type", "conversion");
    }
    import_reading_put_cut(reading, "name", name, IMPORT_TEXT_BYTES);
    if (path[0] == '/') {
        import_reading_put_cut(reading, "url", path, IMPORT_URL_BYTES);
    }
}

static void put_page(const struct import_plausible *plausible,
                     struct import_reading *reading,
                     const struct import_cells *cells)
{
    const char *host =
        import_table_cell(cells, plausible->places[PLAUSIBLE_HOSTNAME]);
    const char *page = cells->text[plausible->places[PLAUSIBLE_PAGE]];

    import_reading_put(reading, "type", "view");
    import_reading_put_cut(
        reading, "url",
        host[0] == '\0' || page[0] != '/'
            ? page
            : import_reading_print(reading, "https://%s%s", host, page),
        IMPORT_URL_BYTES);
}

static enum import_verdict read_sums(const struct import_plausible *plausible,
                                     struct import_reading *reading,
                                     const struct import_cells *cells)
{
    const int *places = plausible->places;
    struct import_event *event = reading->event;
    int count =
        plausible->kind == KIND_EVENTS ? PLAUSIBLE_EVENTS : PLAUSIBLE_PAGEVIEWS;
    int64_t day = 0;

    if (!lb_zone_parse_day(cells->text[places[PLAUSIBLE_DATE]], &day)) {
        return import_reading_bad(reading, "bad_ts", "date",
                                  "date is no day like 2026-11-23");
    }
    event->ts_at_ms = plausible->zone == NULL
                          ? day * LB_MS_PER_DAY + NOON_MS
                          : lb_zone_instant_ms(plausible->zone, day, NOON_MS);
    if (!import_reading_count(cells->text[places[count]], &event->count) ||
        !import_reading_count(
            import_table_cell(cells, places[PLAUSIBLE_VISITORS]),
            &event->visitor_count)) {
        return import_reading_bad(reading, "bad_value", NULL,
                                  "a sum is no whole number up to %d",
                                  IMPORT_COUNT_MAX);
    }
    return event->count == 0 ? IMPORT_IGNORED : IMPORT_EVENT;
}

enum import_verdict
import_plausible_read(const struct import_plausible *plausible,
                      struct import_reading *reading)
{
    struct import_cells cells;
    enum import_verdict verdict =
        import_table_read(reading, plausible->cell_count, &cells);

    verdict = verdict == IMPORT_EVENT ? read_sums(plausible, reading, &cells)
                                      : verdict;
    if (verdict != IMPORT_EVENT) {
        return verdict;
    }
    switch (plausible->kind) {
    case KIND_PAGES:
        put_page(plausible, reading, &cells);
        reading->event->visitor_count = 0; /* who sees two pages is one */
        break;
    case KIND_SOURCES:
        import_reading_put(reading, "type", "view");
        put_source(plausible, reading, &cells);
        break;
    case KIND_EVENTS:
        put_custom(plausible, reading, &cells);
        reading->event->visitor_count = 0;
        break;
    }
    return import_reading_end(reading);
}

void import_plausible_free(struct import_plausible *plausible)
{
    free(plausible);
}
