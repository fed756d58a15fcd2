/* query_params.c - the parameters of a question as text. */
#include "aggregate/query_params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/http_respond.h"
#include "base/text.h"
#include "base/yaml.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 10000
#define WORD_BYTES 96
#define HINT_BYTES ((size_t)4096)

static bool refuse(struct lb_http_request *request,
                   const char *code,
                   const char *message,
                   const char *hint)
{
    lb_http_respond_error(request, 400, code, message, hint);
    return false;
}

/* A word of a list with commas; returns what follows, NULL at the end. */
static const char *next_word(const char *list, char word[WORD_BYTES])
{
    size_t len = strcspn(list, ",");
    size_t skip = strspn(list, " ");
    size_t used = len > skip ? len - skip : 0;

    used = used >= WORD_BYTES ? WORD_BYTES - 1 : used;
    memcpy(word, list + skip, used);
    while (used > 0 && word[used - 1] == ' ') {
        used--;
    }
    word[used] = '\0';
    return list[len] == ',' ? list + len + 1 : NULL;
}

/* What would do: the name that is near, else all of them. */
static void
write_hint(const char *name, const char *const *known, struct lb_buf *hint)
{
    const char *near = lb_yaml_suggest(name, known);

    if (near != NULL) {
        lb_buf_printf(hint, "Did you mean %s?", near);
        return;
    }
    lb_buf_add_text(hint, "There are: ");
    for (size_t i = 0; known[i] != NULL; i++) {
        lb_buf_printf(hint, "%s%s", i == 0 ? "" : ", ", known[i]);
    }
    lb_buf_add_char(hint, '.');
}

static bool fault_name(struct lb_http_request *request,
                       const char *what,
                       const char *name,
                       const char *const *known)
{
    char message[200];
    struct lb_buf hint;

    lb_buf_init(&hint, HINT_BYTES);
    write_hint(name, known, &hint);
    (void)snprintf(message, sizeof(message), "%s \"%.60s\" is not known.", what,
                   name);
    (void)refuse(request, "bad_request", message, lb_buf_text(&hint));
    lb_buf_deinit(&hint);
    return false;
}

/* Whether the last metric stands among those before it. */
static bool is_repeated(const struct query *query)
{
    for (size_t i = 0; i < query->metric_count; i++) {
        if (query->metrics[i] == query->metrics[query->metric_count]) {
            return true;
        }
    }
    return false;
}

static bool read_metrics(struct lb_http_request *request, struct query *query)
{
    const char *list = lb_http_request_query(request, "metrics", 0);
    const char *known[QUERY_METRIC_COUNT + 1] = {NULL};
    char word[WORD_BYTES];

    list = list == NULL || list[0] == '\0' ? "views,clicks,visitors,leads,ctr"
                                           : list;
    for (int i = 0; i < QUERY_METRIC_COUNT; i++) {
        known[i] = query_metric_name((enum query_metric)i);
    }
    while (list != NULL) {
        list = next_word(list, word);
        if (query->metric_count >= QUERY_METRICS) {
            return refuse(request, "bad_request", "metrics names too many.",
                          NULL);
        }
        if (!query_metric_find(word, &query->metrics[query->metric_count])) {
            return fault_name(request, "metrics:", word, known);
        }
        if (is_repeated(query)) {
            char message[WORD_BYTES + 40];

            (void)snprintf(message, sizeof(message), "metrics names %s twice.",
                           word);
            return refuse(request, "bad_request", message, NULL);
        }
        query->metric_count++;
    }
    return true;
}

static bool is_named(const struct query *query, const char *dimension)
{
    for (size_t i = 0; i < query->dimension_count; i++) {
        if (strcmp(query->dimensions[i].name, dimension) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_dimensions(struct lb_http_request *request,
                            struct query *query)
{
    const char *list = lb_http_request_query(request, "by", 0);
    char word[WORD_BYTES];
    bool has_time = false;

    if (list == NULL || list[0] == '\0') {
        return true;
    }
    while (list != NULL) {
        struct dimension *dimension =
            &query->dimensions[query->dimension_count];

        list = next_word(list, word);
        if (query->dimension_count == QUERY_DIMENSIONS) {
            return refuse(request, "bad_request",
                          "by names more than 8 dimensions.", NULL);
        }
        if (!dimension_find(word, true, dimension)) {
            return fault_name(request, "by:", word, dimension_names());
        }
        if (is_named(query, dimension->name)) {
            char message[WORD_BYTES + 40];

            (void)snprintf(message, sizeof(message), "by names %s twice.",
                           dimension->name);
            return refuse(request, "bad_request", message, NULL);
        }
        if (dimension->kind == DIMENSION_TIME && has_time) {
            return refuse(request, "bad_request",
                          "by names more than one time dimension.", NULL);
        }
        has_time = has_time || dimension->kind == DIMENSION_TIME;
        query->dimension_count++;
    }
    return true;
}

static bool read_order(struct lb_http_request *request, struct query *query)
{
    const char *order = lb_http_request_query(request, "order", 0);
    char name[WORD_BYTES];
    const char *colon;
    size_t len;

    query->order_metric = -1;
    query->order_dimension = -1;
    if (order == NULL) {
        return true;
    }
    colon = strrchr(order, ':');
    query->is_descending = colon == NULL || strcmp(colon, ":asc") != 0;
    len = colon != NULL &&
                  (strcmp(colon, ":asc") == 0 || strcmp(colon, ":desc") == 0)
              ? (size_t)(colon - order)
              : strlen(order);
    (void)snprintf(name, sizeof(name), "%.*s",
                   (int)(len < WORD_BYTES ? len : WORD_BYTES - 1), order);
    for (size_t i = 0; i < query->metric_count; i++) {
        if (strcmp(query_metric_name(query->metrics[i]), name) == 0) {
            query->order_metric = (int)query->metrics[i];
            return true;
        }
    }
    for (size_t i = 0; i < query->dimension_count; i++) {
        const struct dimension *dimension = &query->dimensions[i];

        if (strcmp(dimension->name, name) == 0 ||
            (dimension->kind == DIMENSION_TIME && strcmp(name, "time") == 0)) {
            query->order_dimension = (int)i;
            return true;
        }
    }
    return refuse(request, "bad_request",
                  "order names neither a metric nor a dimension of this query.",
                  "Write it like order=clicks:asc.");
}

static int64_t period_days(const char *period)
{
    if (strcmp(period, "7d") == 0) {
        return 7;
    }
    if (strcmp(period, "28d") == 0) {
        return 28;
    }
    return strcmp(period, "30d") == 0 ? 30 : 0;
}

static int64_t months_before(int64_t month_start, int count)
{
    while (count-- > 0) {
        month_start = lb_zone_day_floor(LB_ZONE_MONTH, month_start - 1);
    }
    return month_start;
}

/* First and last day of a period's word; from_out INT64_MIN for all. */
static bool read_period(const char *period,
                        int64_t today,
                        int64_t *first_out,
                        int64_t *last_out)
{
    int64_t month = lb_zone_day_floor(LB_ZONE_MONTH, today);
    int64_t next_month = lb_zone_day_floor(LB_ZONE_MONTH, month + 31);

    *last_out = today;
    if (strcmp(period, "today") == 0) {
        *first_out = today;
    } else if (strcmp(period, "yesterday") == 0) {
        *first_out = today - 1;
        *last_out = today - 1;
    } else if (period_days(period) > 0) {
        *first_out = today - period_days(period) + 1;
    } else if (strcmp(period, "month") == 0) {
        *first_out = month;
        *last_out = next_month - 1;
    } else if (strcmp(period, "last_month") == 0) {
        *first_out = months_before(month, 1);
        *last_out = month - 1;
    } else if (strcmp(period, "12mo") == 0) {
        *first_out = months_before(month, 11);
        *last_out = next_month - 1;
    } else if (strcmp(period, "all") == 0) {
        *first_out = INT64_MIN;
    } else {
        return false;
    }
    return true;
}

/* A bound: a date, or an instant.  is_end: a date includes its day. */
static bool read_bound(const char *text,
                       const struct lb_zone *zone,
                       bool is_end,
                       int64_t *at_out)
{
    int64_t day;

    if (lb_zone_parse_day(text, &day)) {
        *at_out = lb_zone_day_start_ms(zone, is_end ? day + 1 : day);
        return true;
    }
    return lb_zone_parse_instant(text, at_out);
}

bool query_params_range(const struct query_params_dates *dates,
                        const struct lb_zone *zone,
                        int64_t now_ms,
                        int64_t *from_out,
                        int64_t *to_out,
                        struct lb_error *err)
{
    const char *from = dates->from;
    const char *to = dates->to;
    const char *period = dates->period;
    int64_t today = lb_zone_local_day(zone, now_ms);
    int64_t first = INT64_MIN;
    int64_t last = today;

    if (period != NULL && (from != NULL || to != NULL)) {
        (void)lb_err_set(err, LB_EINVAL, "period goes without from and to");
        return false;
    }
    if (period != NULL && !read_period(period, today, &first, &last)) {
        (void)lb_err_set(err, LB_EINVAL,
                         "period \"%.40s\" is not today, yesterday, 7d, 28d, "
                         "30d, month, last_month, 12mo or all",
                         period);
        return false;
    }
    *from_out =
        first == INT64_MIN ? INT64_MIN : lb_zone_day_start_ms(zone, first);
    *to_out = lb_zone_day_start_ms(zone, last + 1);
    if (from != NULL && !read_bound(from, zone, false, from_out)) {
        (void)lb_err_set(
            err, LB_EINVAL,
            "from \"%.40s\" is no date (2026-11-01) and no instant (RFC 3339)",
            from);
        return false;
    }
    if (to != NULL && !read_bound(to, zone, true, to_out)) {
        (void)lb_err_set(
            err, LB_EINVAL,
            "to \"%.40s\" is no date (2026-11-30) and no instant (RFC 3339)",
            to);
        return false;
    }
    if (*from_out != INT64_MIN && *from_out >= *to_out) {
        (void)lb_err_set(err, LB_EINVAL, "from is not before to");
        return false;
    }
    return true;
}

static bool add_site(struct lb_http_request *request,
                     struct query_params *params,
                     const char *id)
{
    const struct auth_who *who = auth_who_of(request);
    const struct catalog_site *site = catalog_site_find(params->catalog, id);
    bool is_limited = who->token != NULL && !who->token->is_all_sites;

    if (is_limited && (site == NULL || !auth_may_site(who, site->number))) {
        lb_http_respond_error(request, 403, "site",
                              "This token does not reach that site.", NULL);
        return false;
    }
    if (site == NULL) {
        lb_http_respond_error(request, 404, "unknown_site",
                              "There is no such site.",
                              "Add it to linkbell.yaml and apply it.");
        return false;
    }
    for (size_t i = 0; i < params->query.site_count; i++) {
        if (params->sites[i] == site->number) {
            return true; /* named twice, counted once */
        }
    }
    if (params->query.site_count == QUERY_PARAMS_SITES) {
        return refuse(request, "bad_request", "site names more than 1000.",
                      "Ask in parts, or for site=*.");
    }
    params->sites[params->query.site_count++] = site->number;
    return true;
}

static void add_all_sites(struct lb_http_request *request,
                          struct query_params *params)
{
    const struct auth_who *who = auth_who_of(request);

    for (size_t i = 0; i < catalog_site_count(params->catalog); i++) {
        const struct catalog_site *site = catalog_site_at(params->catalog, i);

        if (auth_may_site(who, site->number) &&
            params->query.site_count < QUERY_PARAMS_SITES) {
            params->sites[params->query.site_count++] = site->number;
        }
    }
}

static bool add_named_sites(struct lb_http_request *request,
                            struct query_params *params)
{
    const char *id;

    for (size_t i = 0; (id = lb_http_request_query(request, "site", i)) != NULL;
         i++) {
        if (!add_site(request, params, id)) {
            return false;
        }
        (void)snprintf(params->label, sizeof(params->label), "%s",
                       i == 0 ? id : "*");
    }
    return true;
}

static bool find_zone(struct lb_http_request *request,
                      struct query_params *params)
{
    const char *tz = lb_http_request_query(request, "tz", 0);
    struct lb_error err;
    enum lb_err rc = LB_OK;

    if (tz != NULL) {
        rc = lb_zone_find(tz, &params->query.zone, &err);
        return rc == LB_OK || refuse(request, "bad_request", err.text, NULL);
    }
    for (size_t i = 0; i < params->query.site_count; i++) {
        const struct catalog_site *site =
            catalog_site_by_number(params->catalog, params->sites[i]);

        if (params->query.zone != NULL && params->query.zone != site->zone) {
            params->query.zone = NULL;
            break;
        }
        params->query.zone = site->zone;
    }
    if (params->query.zone == NULL) {
        rc = lb_zone_find("UTC", &params->query.zone, &err);
    }
    return rc == LB_OK ||
           refuse(request, "bad_request", err.text, "Install tzdata.");
}

/* No site named, or "*" among them. */
static bool are_all_sites(struct lb_http_request *request)
{
    const char *id = lb_http_request_query(request, "site", 0);

    for (size_t i = 1; id != NULL && strcmp(id, "*") != 0; i++) {
        id = lb_http_request_query(request, "site", i);
        if (id == NULL) {
            return false;
        }
    }
    return true;
}

bool query_params_sites(struct lb_http_request *request,
                        struct query_params *params)
{
    bool is_known = true;

    params->catalog = catalog_ref(auth_who_of(request)->catalog);
    params->sites = calloc(QUERY_PARAMS_SITES, sizeof(*params->sites));
    if (params->sites == NULL) {
        lb_http_respond_error(request, 503, "overloaded", "Out of memory.",
                              NULL);
        return false;
    }
    params->query.catalog = params->catalog;
    params->query.sites = params->sites;
    if (are_all_sites(request)) {
        add_all_sites(request, params);
        (void)snprintf(params->label, sizeof(params->label), "*");
    } else {
        is_known = add_named_sites(request, params);
    }
    return is_known && find_zone(request, params);
}

static bool read_traffic(struct lb_http_request *request,
                         struct query_params *params)
{
    const char *traffic = lb_http_request_query(request, "traffic", 0);
    enum entry_traffic class = ENTRY_HUMAN;

    traffic = traffic == NULL ? "human" : traffic;
    if (strcmp(traffic, "all") == 0) {
        params->query.traffic = (1u << ENTRY_TRAFFIC_COUNT) - 1;
    } else if (entry_traffic_from_name(traffic, &class)) {
        params->query.traffic = 1u << class;
    } else {
        return refuse(request, "bad_request",
                      "traffic must be human, preview, prefetch, bot or all.",
                      NULL);
    }
    (void)snprintf(params->traffic, sizeof(params->traffic), "%s", traffic);
    return true;
}

/* An answer's "next": 16 hex digits of the hash, a dash, the offset. */
static bool read_cursor(const char *cursor, struct query_params *params)
{
    char prefix[20];
    int len = snprintf(prefix, sizeof(prefix), "%016llx-",
                       (unsigned long long)params->hash);
    long long offset = 0;

    if (strncmp(cursor, prefix, (size_t)len) != 0 ||
        !lb_text_to_int(cursor + len, &offset) || offset < 0) {
        return false;
    }
    params->offset = (size_t)offset;
    return true;
}

static bool read_page(struct lb_http_request *request,
                      struct query_params *params)
{
    const char *limit = lb_http_request_query(request, "limit", 0);
    const char *cursor = lb_http_request_query(request, "cursor", 0);
    const char *format = lb_http_request_query(request, "format", 0);
    long long number = LIMIT_DEFAULT;

    if (limit != NULL &&
        (!lb_text_to_int(limit, &number) || number < 1 || number > LIMIT_MAX)) {
        return refuse(request, "bad_request", "limit must be from 1 to 10000.",
                      NULL);
    }
    params->limit = (size_t)number;
    if (cursor != NULL && !read_cursor(cursor, params)) {
        return refuse(request, "bad_cursor",
                      "cursor is damaged or belongs to other parameters.",
                      "Begin again without cursor.");
    }
    params->is_csv = format != NULL && strcmp(format, "csv") == 0;
    if (format != NULL && !params->is_csv && strcmp(format, "json") != 0) {
        return refuse(request, "bad_request", "format must be json or csv.",
                      NULL);
    }
    return true;
}

/* Refuses parameters that nobody reads, and hashes the others. */
static bool check_names(struct lb_http_request *request,
                        const char *const *known,
                        struct query_params *params)
{
    uint8_t key[LB_HASH_KEY_BYTES] = {0};
    char message[160];

    for (size_t i = 0; i < lb_http_request_query_count(request); i++) {
        const char *name = lb_http_request_query_key(request, i);
        size_t at = 0;
        const char *value;

        while (known[at] != NULL && strcmp(known[at], name) != 0) {
            at++;
        }
        if (known[at] == NULL) {
            struct lb_buf hint;

            lb_buf_init(&hint, HINT_BYTES);
            write_hint(name, known, &hint);
            (void)snprintf(message, sizeof(message),
                           "There is no parameter \"%.60s\" here.", name);
            (void)refuse(request, "unknown_parameter", message,
                         lb_buf_text(&hint));
            lb_buf_deinit(&hint);
            return false;
        }
        if (strcmp(name, "cursor") == 0 || strcmp(name, "key") == 0) {
            continue;
        }
        if (lb_http_request_query(request, name, 1) != NULL &&
            strcmp(name, "site") != 0) {
            (void)snprintf(message, sizeof(message), "%.60s is given twice.",
                           name);
            return refuse(request, "bad_request", message,
                          "Only site may repeat.");
        }
        value = lb_http_request_query_value(request, i);
        memcpy(key, &params->hash, sizeof(params->hash));
        key[8] = (uint8_t)at;
        params->hash = lb_hash_sip(key, value, strlen(value));
    }
    return true;
}

static bool read_compare(struct lb_http_request *request,
                         struct query_params *params)
{
    const char *compare = lb_http_request_query(request, "compare", 0);

    params->compare = QUERY_COMPARE_NONE;
    if (compare == NULL) {
        return true;
    }
    if (strcmp(compare, "previous") == 0) {
        params->compare = QUERY_COMPARE_PREVIOUS;
    } else if (strcmp(compare, "year") == 0) {
        params->compare = QUERY_COMPARE_YEAR;
    } else {
        return refuse(request, "bad_request",
                      "compare must be previous or year.", NULL);
    }
    return true;
}

static bool read_explain(struct lb_http_request *request,
                         struct query_params *params)
{
    const char *explain = lb_http_request_query(request, "explain", 0);

    params->is_explained = explain != NULL && strcmp(explain, "true") == 0;
    return explain == NULL || params->is_explained ||
           strcmp(explain, "false") == 0 ||
           refuse(request, "bad_request", "explain must be true or false.",
                  NULL);
}

static bool is_day(const char *text)
{
    int64_t day;

    return text == NULL || lb_zone_parse_day(text, &day);
}

static bool read_range(struct lb_http_request *request,
                       struct query_params *params)
{
    struct query *query = &params->query;
    const struct query_params_dates dates = {
        .from = lb_http_request_query(request, "from", 0),
        .to = lb_http_request_query(request, "to", 0),
        .period = lb_http_request_query(request, "period", 0)};
    struct lb_error err;

    params->is_by_days = is_day(dates.from) && is_day(dates.to);
    return query_params_range(&dates, query->zone, lb_clock_wall_ms(),
                              &query->from_at_ms, &query->to_at_ms, &err) ||
           refuse(request, "bad_request", err.text, NULL);
}

static bool read_filter(struct lb_http_request *request,
                        bool is_case_kept,
                        struct query_params *params)
{
    const char *filter = lb_http_request_query(request, "filter", 0);
    char message[LB_ERROR_TEXT_BYTES + 16];
    struct lb_error err;

    if (filter != NULL &&
        filter_parse(filter, is_case_kept, &params->filter, &err) != LB_OK) {
        (void)snprintf(message, sizeof(message), "filter: %s", err.text);
        return refuse(request, "bad_request", message,
                      "Write it like: source == newsletter and not (country == "
                      "[FR, BE])");
    }
    params->query.filter = params->filter;
    return true;
}

bool query_params_read_some(struct lb_http_request *request,
                            const char *const *known,
                            bool is_case_kept,
                            struct query_params *params_out)
{
    memset(params_out, 0, sizeof(*params_out));
    return check_names(request, known, params_out) &&
           query_params_sites(request, params_out) &&
           read_traffic(request, params_out) &&
           read_range(request, params_out) &&
           read_filter(request, is_case_kept, params_out);
}

bool query_params_read_range(struct lb_http_request *request,
                             struct query_params *params_out)
{
    static const char *const known[] = {"site",   "from", "to",
                                        "period", "tz",   NULL};

    memset(params_out, 0, sizeof(*params_out));
    return check_names(request, known, params_out) &&
           query_params_sites(request, params_out) &&
           read_range(request, params_out);
}

bool query_params_read(struct lb_http_request *request,
                       bool is_case_kept,
                       struct query_params *params_out)
{
    struct query *query = &params_out->query;
    static const char *const known[] = {
        "site",   "metrics", "by",      "from",  "to",     "tz",
        "filter", "traffic", "order",   "limit", "cursor", "format",
        "period", "compare", "explain", "key",   NULL};

    memset(params_out, 0, sizeof(*params_out));
    if (!check_names(request, known, params_out) ||
        !query_params_sites(request, params_out) ||
        !read_metrics(request, query) || !read_dimensions(request, query) ||
        !read_order(request, query) || !read_traffic(request, params_out) ||
        !read_compare(request, params_out) ||
        !read_explain(request, params_out) || !read_page(request, params_out) ||
        !read_range(request, params_out)) {
        return false;
    }
    return read_filter(request, is_case_kept, params_out);
}

void query_params_deinit(struct query_params *params)
{
    filter_free(params->filter);
    free(params->sites);
    catalog_unref(params->catalog);
}
