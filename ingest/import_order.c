/* import_order.c - the first line of a request. */
#include "ingest/import_order.h"

#include <string.h>

#include "base/json.h"

#define DEPTH 3

static void add(struct lb_buf *out, const char *key, const char *text)
{
    if (text != NULL) {
        lb_json_add_key(out, key);
        lb_json_add_plain_string(out, text);
    }
}

static void add_bool(struct lb_buf *out, const char *key, bool is_true)
{
    lb_json_add_key(out, key);
    lb_buf_add_text(out, is_true ? "true" : "false");
}

void import_order_write(const struct import_order *order, struct lb_buf *out)
{
    lb_buf_add_char(out, '{');
    add(out, "format", import_format_name(order->spec.format));
    add(out, "site", order->spec.site);
    add(out, "header", order->spec.header);
    add(out, "map", order->spec.map);
    lb_json_add_key(out, "shift_ms");
    lb_buf_add_int(out, order->spec.shift_ms);
    add_bool(out, "strict", order->is_strict);
    add_bool(out, "fire", order->is_firing);
    lb_json_add_key(out, "repeats");
    lb_buf_add_char(out, '[');
    for (size_t i = 0; i < order->repeat_count; i++) {
        lb_buf_printf(out, "%s%u,%u", i == 0 ? "" : ",",
                      order->repeats[i].index, order->repeats[i].count);
    }
    lb_buf_add_text(out, "]}\n");
}

static uint32_t number_of(const cJSON *item)
{
    return cJSON_IsNumber(item) && item->valuedouble >= 0 &&
                   item->valuedouble <= UINT32_MAX
               ? (uint32_t)item->valuedouble
               : 0;
}

static void read_repeats(const cJSON *list, struct import_order *order)
{
    const cJSON *item = list == NULL ? NULL : list->child;

    while (item != NULL && item->next != NULL &&
           order->repeat_count < IMPORT_ORDER_RECORDS) {
        order->repeats[order->repeat_count++] =
            (struct import_repeat){number_of(item), number_of(item->next)};
        item = item->next->next;
    }
}

enum lb_err import_order_read(const char *body,
                              size_t len,
                              struct lb_arena *arena,
                              struct import_order *order_out,
                              size_t *used_out)
{
    const char *end = len == 0 ? NULL : memchr(body, '\n', len);
    struct lb_json_fault fault;
    cJSON *json = NULL;
    const char *format;
    enum lb_err rc;

    memset(order_out, 0, sizeof(*order_out));
    if (end == NULL) {
        return LB_EFORMAT;
    }
    *used_out = (size_t)(end - body) + 1;
    rc = lb_json_parse(body, (size_t)(end - body), DEPTH, arena, &json, &fault);
    if (rc != LB_OK) {
        return rc == LB_ENOMEM ? rc : LB_EFORMAT;
    }
    format = lb_json_text(json, "format");
    if (format == NULL ||
        !import_format_find(format, &order_out->spec.format) ||
        order_out->spec.format == IMPORT_AUTO) {
        return LB_EFORMAT;
    }
    order_out->spec.site = lb_json_text(json, "site");
    order_out->spec.header = lb_json_text(json, "header");
    order_out->spec.map = lb_json_text(json, "map");
    order_out->spec.shift_ms = lb_json_int(json, "shift_ms");
    order_out->is_strict = lb_json_is_true(json, "strict");
    order_out->is_firing = lb_json_is_true(json, "fire");
    read_repeats(cJSON_GetObjectItemCaseSensitive(json, "repeats"), order_out);
    return LB_OK;
}
