/* v2_request.c - the body of POST /api/v2/query. */
#include "aggregate/v2_request.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "aggregate/v2_dates.h"
#include "aggregate/v2_text.h"
#include "base/json.h"

#define DEPTH 32

/* What is being read. */
struct reading {
    struct v2_request *request;
    const struct v2_request_frame *frame;
    struct lb_buf *fault;
    struct lb_buf *hint;
};

static bool fault(struct reading *reading, const char *text)
{
    lb_buf_add_text(reading->fault, text);
    return false;
}

/* Quotes what was sent: before 'JSON' after. */
static bool quote(struct reading *reading,
                  const char *before,
                  const cJSON *json,
                  const char *after)
{
    lb_buf_add_text(reading->fault, before);
    lb_buf_add_char(reading->fault, '\'');
    v2_text_add_json(reading->fault, json);
    lb_buf_printf(reading->fault, "'%s", after);
    return false;
}

static const cJSON *part(const struct reading *reading, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(reading->request->json, key);
}

enum lb_err v2_request_open(const char *body,
                            size_t len,
                            struct v2_request *request_out,
                            struct lb_buf *fault_out)
{
    struct lb_json_fault json_fault;
    enum lb_err rc;

    memset(request_out, 0, sizeof(*request_out));
    rc = lb_json_parse(body, len, DEPTH, NULL, &request_out->json, &json_fault);
    if (rc == LB_ENOMEM) {
        lb_buf_add_text(fault_out, "Out of memory.");
        return rc;
    }
    if (rc != LB_OK || !cJSON_IsObject(request_out->json)) {
        lb_buf_add_text(fault_out, "Request body must be a JSON object");
        return LB_EINVAL;
    }
    return LB_OK;
}

const char *v2_request_site(const struct v2_request *request,
                            struct lb_buf *fault_out)
{
    const char *id = lb_json_text(request->json, "site_id");

    if (id == NULL || id[0] == '\0') {
        lb_buf_add_text(fault_out,
                        "Missing site ID. Please provide the required site_id "
                        "parameter with your request.");
        return NULL;
    }
    return id;
}

void v2_request_deinit(struct v2_request *request)
{
    v2_filter_free(request->filter);
    cJSON_Delete(request->json);
    memset(request, 0, sizeof(*request));
}

bool v2_request_has_dimension(const struct v2_request *request,
                              enum v2_dimension_kind kind)
{
    for (size_t i = 0; i < request->dimension_count; i++) {
        if (request->dimensions[i].kind == kind) {
            return true;
        }
    }
    return false;
}

bool v2_request_has_metric(const struct v2_request *request,
                           enum v2_metric metric)
{
    for (size_t i = 0; i < request->metric_count; i++) {
        if (request->metrics[i] == metric) {
            return true;
        }
    }
    return false;
}

/* --- keys and types ------------------------------------------------------- */

static const char *type_name(const cJSON *json)
{
    if (cJSON_IsString(json)) {
        return "String";
    }
    if (cJSON_IsArray(json)) {
        return "Array";
    }
    if (cJSON_IsObject(json)) {
        return "Object";
    }
    if (cJSON_IsBool(json)) {
        return "Boolean";
    }
    if (cJSON_IsNumber(json)) {
        return json->valuedouble == floor(json->valuedouble) ? "Integer"
                                                             : "Number";
    }
    return "Null";
}

static bool check_type(struct reading *reading,
                       const char *path,
                       const cJSON *json,
                       const char *type)
{
    if (strcmp(type_name(json), type) == 0) {
        return true;
    }
    lb_buf_printf(reading->fault,
                  "#/%s: Type mismatch. Expected %s but got %s.", path, type,
                  type_name(json));
    return false;
}

static void list_known(struct reading *reading, const char *const *known)
{
    lb_buf_add_text(reading->hint, "Known here: ");
    for (size_t i = 0; known[i] != NULL; i++) {
        lb_buf_printf(reading->hint, "%s%s", i == 0 ? "" : ", ", known[i]);
    }
}

static bool is_known(const char *name, const char *const *known)
{
    size_t i = 0;

    while (known[i] != NULL && strcmp(known[i], name) != 0) {
        i++;
    }
    return known[i] != NULL;
}

static bool check_keys(struct reading *reading,
                       const char *path,
                       const cJSON *object,
                       const char *const *known)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, object) {
        if (!is_known(item->string, known)) {
            lb_buf_printf(reading->fault,
                          "#/%s%.100s: Schema does not allow additional "
                          "properties.",
                          path, item->string);
            list_known(reading, known);
            return false;
        }
    }
    return true;
}

/* Whether the text stands before in its list. */
static bool is_repeated(const cJSON *list, const cJSON *item)
{
    for (const cJSON *other = list->child; other != item; other = other->next) {
        if (strcmp(other->valuestring, item->valuestring) == 0) {
            return true;
        }
    }
    return false;
}

/* A list of texts, none of them twice. */
static bool
check_texts(struct reading *reading, const char *path, const cJSON *list)
{
    const cJSON *item;
    int index = 0;

    if (list != NULL && !check_type(reading, path, list, "Array")) {
        return false;
    }
    cJSON_ArrayForEach (item, list) {
        if (!cJSON_IsString(item)) {
            lb_buf_printf(reading->fault,
                          "#/%s/%d: Type mismatch. Expected String but got %s.",
                          path, index, type_name(item));
            return false;
        }
        if (is_repeated(list, item)) {
            lb_buf_printf(
                reading->fault,
                "#/%s: Expected items to be unique but they were not.", path);
            return false;
        }
        index++;
    }
    return true;
}

static bool check_metrics_list(struct reading *reading)
{
    const cJSON *metrics = part(reading, "metrics");
    const cJSON *dimensions = part(reading, "dimensions");

    if (cJSON_IsArray(metrics) && metrics->child == NULL) {
        return fault(reading,
                     "#/metrics: Expected a minimum of 1 items but got 0.");
    }
    if (!check_texts(reading, "metrics", metrics) ||
        !check_texts(reading, "dimensions", dimensions)) {
        return false;
    }
    if (cJSON_GetArraySize(dimensions) > V2_REQUEST_DIMENSIONS) {
        lb_buf_printf(reading->fault,
                      "#/dimensions: Expected a maximum of %d items but got "
                      "%d.",
                      V2_REQUEST_DIMENSIONS, cJSON_GetArraySize(dimensions));
        return false;
    }
    return true;
}

static bool check_options(struct reading *reading)
{
    static const char *const includes[] = {"time_labels", "total_rows",
                                           "imports", NULL};
    static const char *const pages[] = {"limit", "offset", NULL};
    const cJSON *include = part(reading, "include");
    const cJSON *pagination = part(reading, "pagination");
    const cJSON *item;
    char path[64];

    if ((include != NULL &&
         (!check_type(reading, "include", include, "Object") ||
          !check_keys(reading, "include/", include, includes))) ||
        (pagination != NULL &&
         (!check_type(reading, "pagination", pagination, "Object") ||
          !check_keys(reading, "pagination/", pagination, pages)))) {
        return false;
    }
    cJSON_ArrayForEach (item, include) {
        (void)snprintf(path, sizeof(path), "include/%s", item->string);
        if (!check_type(reading, path, item, "Boolean")) {
            return false;
        }
    }
    cJSON_ArrayForEach (item, pagination) {
        (void)snprintf(path, sizeof(path), "pagination/%s", item->string);
        if (!check_type(reading, path, item, "Integer")) {
            return false;
        }
    }
    return true;
}

static bool check_form(struct reading *reading)
{
    static const char *const known[] = {
        "site_id",  "metrics", "date_range", "dimensions", "filters",
        "order_by", "include", "pagination", NULL};
    static const char *const required[] = {"metrics", "date_range"};
    static const char *const lists[] = {"filters", "order_by"};

    if (!check_keys(reading, "", reading->request->json, known)) {
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        if (part(reading, required[i]) == NULL) {
            lb_buf_printf(reading->fault,
                          "#: Required property %s was not present.",
                          required[i]);
            return false;
        }
    }
    if (!check_metrics_list(reading)) {
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        const cJSON *list = part(reading, lists[i]);

        if (list != NULL && !check_type(reading, lists[i], list, "Array")) {
            return false;
        }
    }
    return check_options(reading);
}

/* --- the parts ------------------------------------------------------------ */

static bool read_dates(struct reading *reading)
{
    struct v2_request *request = reading->request;
    const cJSON *range = part(reading, "date_range");

    if (v2_dates_read(range, request->site->zone, reading->frame->now_ms,
                      &request->from_at_ms, &request->to_at_ms)) {
        return true;
    }
    lb_buf_add_text(reading->hint,
                    "Two dates, two timestamps with offset, or day, 24h, 7d, "
                    "28d, 30d, 91d, month, 6mo, 12mo, year, all, realtime, "
                    "30m; the end is not before the start.");
    return quote(reading, "Invalid date_range ", range, ".");
}

static bool read_metrics(struct reading *reading)
{
    struct v2_request *request = reading->request;
    const cJSON *item;

    cJSON_ArrayForEach (item, part(reading, "metrics")) {
        if (request->metric_count == V2_REQUEST_METRICS ||
            !v2_metric_find(item->valuestring,
                            &request->metrics[request->metric_count])) {
            lb_buf_printf(reading->fault, "Unknown metric '%s'.",
                          item->valuestring);
            return false;
        }
        request->metric_names[request->metric_count++] = item->valuestring;
    }
    return true;
}

static bool read_filters(struct reading *reading)
{
    struct v2_request *request = reading->request;

    if (v2_filter_parse(part(reading, "filters"), reading->frame->is_case_kept,
                        &request->filter, reading->fault) != LB_OK) {
        lb_buf_add_text(reading->hint,
                        "A filter is [\"is\", \"visit:source\", [\"Google\"]], "
                        "[\"and\", [FILTER, ...]], [\"or\", [FILTER, ...]] or "
                        "[\"not\", FILTER].");
        return false;
    }
    request->traits = v2_filter_traits_of(request->filter);
    return true;
}

static bool read_dimensions(struct reading *reading)
{
    struct v2_request *request = reading->request;
    const cJSON *list = part(reading, "dimensions");
    const cJSON *item;

    cJSON_ArrayForEach (item, list) {
        if (!v2_dimension_find(
                item->valuestring,
                &request->dimensions[request->dimension_count])) {
            return quote(reading, "Invalid dimensions ", list, "");
        }
        request->dimension_count++;
    }
    return true;
}

static bool find_ordered(const struct v2_request *request,
                         const char *name,
                         struct v2_order *order)
{
    for (size_t i = 0; i < request->metric_count; i++) {
        if (strcmp(name, request->metric_names[i]) == 0) {
            order->is_metric = true;
            order->index = i;
            return true;
        }
    }
    for (size_t i = 0; i < request->dimension_count; i++) {
        if (strcmp(name, request->dimensions[i].name) == 0) {
            order->is_metric = false;
            order->index = i;
            return true;
        }
    }
    return false;
}

static bool read_order(struct reading *reading)
{
    struct v2_request *request = reading->request;
    const cJSON *item;

    cJSON_ArrayForEach (item, part(reading, "order_by")) {
        const cJSON *name = cJSON_GetArrayItem(item, 0);
        const cJSON *direction = cJSON_GetArrayItem(item, 1);
        struct v2_order *order = &request->order[request->order_count];

        if (cJSON_GetArraySize(item) != 2 || !cJSON_IsString(name) ||
            !cJSON_IsString(direction) ||
            (strcmp(direction->valuestring, "asc") != 0 &&
             strcmp(direction->valuestring, "desc") != 0)) {
            return quote(reading, "Invalid order_by entry ", item, ".");
        }
        if (request->order_count ==
                sizeof(request->order) / sizeof(request->order[0]) ||
            !find_ordered(request, name->valuestring, order)) {
            return quote(reading, "Invalid order_by entry ", item,
                         ". Entry is not a queried metric or dimension.");
        }
        order->is_descending = strcmp(direction->valuestring, "desc") == 0;
        request->order_count++;
    }
    return true;
}

static bool is_time(const struct v2_dimension *dimension)
{
    return dimension->kind == V2_DIMENSION_TIME ||
           dimension->kind == V2_DIMENSION_TIME_AUTO;
}

/* Time from its begin, then the first metric's largest first. */
static void set_default_order(struct v2_request *request)
{
    for (size_t i = 0;
         i < request->dimension_count && request->order_count == 0; i++) {
        if (is_time(&request->dimensions[i])) {
            request->order[request->order_count++] =
                (struct v2_order){.index = i};
        }
    }
    request->order[request->order_count++] =
        (struct v2_order){.is_metric = true, .is_descending = true};
}

static bool read_include(struct reading *reading)
{
    struct v2_request *request = reading->request;
    const cJSON *include = part(reading, "include");

    request->has_time_labels = lb_json_is_true(include, "time_labels");
    request->has_total_rows = lb_json_is_true(include, "total_rows");
    request->has_imports = lb_json_is_true(include, "imports");
    if (request->has_time_labels &&
        !v2_request_has_dimension(request, V2_DIMENSION_TIME) &&
        !v2_request_has_dimension(request, V2_DIMENSION_TIME_AUTO)) {
        return fault(reading,
                     "Invalid include.time_labels: requires a time dimension.");
    }
    return true;
}

static bool read_pagination(struct reading *reading)
{
    struct v2_request *request = reading->request;
    const cJSON *pagination = part(reading, "pagination");
    const cJSON *limit = cJSON_GetObjectItemCaseSensitive(pagination, "limit");
    const cJSON *offset =
        cJSON_GetObjectItemCaseSensitive(pagination, "offset");

    request->limit = V2_REQUEST_LIMIT;
    if (limit != NULL) {
        if (limit->valuedouble < 1 || limit->valuedouble > V2_REQUEST_LIMIT) {
            lb_buf_printf(reading->fault,
                          "#/pagination/limit: Expected the value to be %s but "
                          "got %.0f.",
                          limit->valuedouble < 1 ? ">= 1" : "<= 10000",
                          limit->valuedouble);
            return false;
        }
        request->limit = (size_t)limit->valuedouble;
    }
    if (offset != NULL) {
        if (offset->valuedouble < 0) {
            lb_buf_printf(reading->fault,
                          "#/pagination/offset: Expected the value to be >= 0 "
                          "but got %.0f.",
                          offset->valuedouble);
            return false;
        }
        request->offset = offset->valuedouble > 1e15
                              ? (size_t)1000000000000000
                              : (size_t)offset->valuedouble;
    }
    return true;
}

/* --- rules across the parts ----------------------------------------------- */

static bool has_page(const struct v2_request *request)
{
    for (size_t i = 0; i < request->dimension_count; i++) {
        if (strcmp(request->dimensions[i].name, "event:page") == 0) {
            return true;
        }
    }
    return request->traits.has_page;
}

static bool check_needs(struct reading *reading, size_t index)
{
    const struct v2_request *request = reading->request;
    const char *needed = NULL;

    switch ((int)request->metrics[index]) {
    case V2_METRIC_CONVERSION_RATE:
    case V2_METRIC_GROUP_CONVERSION_RATE:
        if (!request->traits.has_goal &&
            !v2_request_has_dimension(request, V2_DIMENSION_GOAL)) {
            needed = "event:goal";
        }
        break;
    case V2_METRIC_SCROLL_DEPTH:
    case V2_METRIC_TIME_ON_PAGE:
        needed = has_page(request) ? NULL : "event:page";
        break;
    case V2_METRIC_LINK_CTR:
        if (!request->traits.has_link &&
            !v2_request_has_dimension(request, V2_DIMENSION_LINK)) {
            needed = "event:link";
        }
        break;
    default:
        break;
    }
    if (needed != NULL) {
        lb_buf_printf(reading->fault,
                      "Metric `%s` can only be queried with %s filters or "
                      "dimensions.",
                      request->metric_names[index], needed);
    }
    return needed == NULL;
}

static bool check_views_per_visit(struct reading *reading)
{
    const struct v2_request *request = reading->request;

    if (!v2_request_has_metric(request, V2_METRIC_VIEWS_PER_VISIT)) {
        return true;
    }
    if (request->dimension_count > 0) {
        return fault(reading, "Metric `views_per_visit` cannot be queried with "
                              "`dimensions`.");
    }
    return !request->traits.has_page ||
           fault(reading, "Metric `views_per_visit` cannot be queried with a "
                          "filter on `event:page`.");
}

static bool check_sessions(struct reading *reading)
{
    const struct v2_request *request = reading->request;
    bool has_event = false;
    const char *names[2];
    size_t count = 0;

    for (size_t i = 0; i < request->dimension_count; i++) {
        has_event = has_event || (request->dimensions[i].is_event &&
                                  !request->dimensions[i].is_whole_visit);
    }
    for (size_t i = 0; i < request->metric_count && count < 2; i++) {
        if (request->metrics[i] == V2_METRIC_BOUNCE_RATE ||
            request->metrics[i] == V2_METRIC_VISIT_DURATION) {
            names[count++] = request->metric_names[i];
        }
    }
    if (!has_event || count == 0) {
        return true;
    }
    lb_buf_printf(reading->fault,
                  "Session metric(s) `%s%s%s` cannot be "
                  "queried along with event dimensions.",
                  names[0], count > 1 ? ", " : "", count > 1 ? names[1] : "");
    return false;
}

static bool check_rules(struct reading *reading)
{
    for (size_t i = 0; i < reading->request->metric_count; i++) {
        if (!check_needs(reading, i)) {
            return false;
        }
    }
    return check_views_per_visit(reading) && check_sessions(reading);
}

enum lb_err v2_request_read(struct v2_request *request,
                            const struct v2_request_frame *frame,
                            struct lb_buf *fault_out,
                            struct lb_buf *hint)
{
    struct reading reading = {request, frame, fault_out, hint};

    if (!check_form(&reading) || !read_dates(&reading) ||
        !read_metrics(&reading) || !read_filters(&reading) ||
        !read_dimensions(&reading) || !read_order(&reading) ||
        !read_include(&reading) || !read_pagination(&reading) ||
        !check_rules(&reading)) {
        return LB_EINVAL;
    }
    if (request->order_count == 0) {
        set_default_order(request);
    }
    return LB_OK;
}
