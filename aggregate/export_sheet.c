/* export_sheet.c - the stats sheet of exports. */
#include "aggregate/export_sheet.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#define SHEET_TIMEOUT_MS (10 * LB_MS_PER_MIN)

/* Columns: date, site, page, link, source, utm_campaign and country, then the
 * figures. */
#define SHEET_TEXTS 7
#define SHEET_METRICS 4
#define SHEET_FIGURES 6 /* the metrics, and the bounds of the last one */

struct sheet_row {
    const char *texts[SHEET_TEXTS]; /* NULL: without */
    const struct query_figures *figures;
    bool has_bounds;
    double bounds[SHEET_FIGURES - SHEET_METRICS];
};

/* Adds nothing where the row has no such figure. */
static void add_figure(const struct sheet_row *row, int at, struct lb_buf *out)
{
    static const enum query_metric metrics[SHEET_METRICS] = {
        QUERY_VIEWS, QUERY_CLICKS, QUERY_LEADS, QUERY_CTR};
    double value = 0;
    double hits = 0;
    double n = 0;

    if (at >= SHEET_METRICS) {
        if (row->has_bounds) {
            lb_json_add_double(out, row->bounds[at - SHEET_METRICS], 4);
        }
    } else if (query_figure(row->figures, metrics[at], &value, &hits, &n)) {
        lb_json_add_double(out, value, 4);
    }
}

static void add_csv_row(const struct sheet_row *row, struct lb_buf *out)
{
    for (int i = 0; i < SHEET_TEXTS; i++) {
        lb_buf_add_text(out, i == 0 ? "" : ",");
        lb_text_add_csv(out, row->texts[i] == NULL ? "" : row->texts[i]);
    }
    for (int i = 0; i < SHEET_FIGURES; i++) {
        lb_buf_add_char(out, ',');
        add_figure(row, i, out);
    }
    lb_buf_add_text(out, "\r\n");
}

static void add_json_row(const struct sheet_row *row, struct lb_buf *out)
{
    static const char *const texts[SHEET_TEXTS] = {
        "date", "site", "page", "link", "source", "utm_campaign", "country"};
    static const char *const figures[SHEET_FIGURES] = {
        "views", "clicks", "leads", "ctr", "ctr_lo", "ctr_hi"};

    lb_buf_add_char(out, '{');
    for (int i = 0; i < SHEET_TEXTS; i++) {
        lb_json_add_key(out, texts[i]);
        lb_json_add_string(out, row->texts[i]);
    }
    for (int i = 0; i < SHEET_FIGURES; i++) {
        size_t before;

        lb_json_add_key(out, figures[i]);
        before = out->len;
        add_figure(row, i, out);
        if (out->len == before) {
            lb_buf_add_text(out, "null");
        }
    }
    lb_buf_add_text(out, "}\n");
}

static void add_sheet_row(const struct query *query,
                          const struct query_row *row,
                          bool is_csv,
                          struct lb_buf *out)
{
    const struct rollup_counts *counts = &row->figures.counts;
    struct sheet_row sheet = {.figures = &row->figures};
    char date[LB_ZONE_DAY_BYTES];

    lb_zone_format_day(lb_zone_local_day(query->zone, row->time_at_ms), date);
    sheet.texts[0] = date;
    for (int i = 1; i < SHEET_TEXTS; i++) {
        sheet.texts[i] = row->values[i];
    }
    sheet.has_bounds = counts->views > 0 && counts->clicks <= counts->views;
    if (sheet.has_bounds) {
        rollup_wilson((double)counts->clicks, (double)counts->views,
                      &sheet.bounds[0], &sheet.bounds[1]);
    }
    if (is_csv) {
        add_csv_row(&sheet, out);
    } else {
        add_json_row(&sheet, out);
    }
}

static int compare_rows(const void *left, const void *right)
{
    const struct query_row *a = left;
    const struct query_row *b = right;

    if (a->time_at_ms != b->time_at_ms) {
        return a->time_at_ms < b->time_at_ms ? -1 : 1;
    }
    for (int i = 1; i < SHEET_TEXTS; i++) {
        int order = strcmp(a->values[i] == NULL ? "" : a->values[i],
                           b->values[i] == NULL ? "" : b->values[i]);

        if (order != 0) {
            return order;
        }
    }
    return 0;
}

enum lb_err export_sheet_write(struct query *query,
                               struct db *db,
                               bool is_csv,
                               struct lb_buf *out,
                               struct lb_error *err)
{
    static const char *const names[] = {"time:day", "site",   "page",
                                        "link",     "source", "utm_campaign",
                                        "country"};
    struct query_result result;
    enum lb_err rc;

    query->dimension_count = SHEET_TEXTS;
    for (size_t i = 0; i < SHEET_TEXTS; i++) {
        (void)dimension_find(names[i], true, &query->dimensions[i]);
        query->dimensions[i].is_of_click =
            false; /* a sheet shows views in rows of their own */
    }
    query->metrics[0] =
        QUERY_VISITORS; /* so that the log is read, not the totals */
    query->metric_count = 1;
    query->order_metric = -1;
    query->order_dimension = -1;
    query->traffic = 1u << ENTRY_HUMAN;
    query->deadline_at_ms = lb_clock_mono_ms() + SHEET_TIMEOUT_MS;
    rc = query_run(query, db, &result, err);
    if (rc == LB_OK) {
        qsort(result.rows, result.row_count, sizeof(*result.rows),
              compare_rows);
        for (size_t i = 0; i < result.row_count; i++) {
            add_sheet_row(query, &result.rows[i], is_csv, out);
        }
    }
    query_result_deinit(&result);
    return rc;
}

void export_sheet_csv_header(struct lb_buf *out)
{
    lb_buf_add_text(out,
                    "date,site,page,link,source,utm_campaign,country,views,"
                    "clicks,leads,ctr,ctr_lo,ctr_hi\r\n");
}
