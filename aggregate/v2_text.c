/* v2_text.c - texts of the stats dialect. */
#include "aggregate/v2_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define DEPTH 64

/* Symbols that stand before an amount without a space. */
static const struct {
    const char *code;
    const char *symbol;
} symbols[] = {{"EUR", "€"},   {"USD", "$"},  {"GBP", "£"},   {"JPY", "¥"},
               {"CNY", "CN¥"}, {"INR", "₹"},  {"KRW", "₩"},   {"BRL", "R$"},
               {"CAD", "CA$"}, {"AUD", "A$"}, {"NZD", "NZ$"}, {"MXN", "MX$"},
               {"ILS", "₪"},   {"VND", "₫"},  {"PHP", "₱"},   {"TWD", "NT$"},
               {"HKD", "HK$"}};

static void add_json(struct lb_buf *buf, const cJSON *json, int depth)
{
    bool is_object = cJSON_IsObject(json) != 0;
    const cJSON *child = json->child;

    if ((!is_object && !cJSON_IsArray(json)) || depth > DEPTH) {
        lb_json_add_item(buf, json);
        return;
    }
    lb_buf_add_char(buf, is_object ? '{' : '[');
    for (; child != NULL; child = child->next) {
        if (is_object) {
            lb_json_add_plain_string(buf, child->string);
            lb_buf_add_text(buf, ": ");
        }
        if (cJSON_IsString(child)) {
            lb_json_add_plain_string(buf, child->valuestring);
        } else {
            add_json(buf, child, depth + 1);
        }
        lb_buf_add_text(buf, child->next == NULL ? "" : ", ");
    }
    lb_buf_add_char(buf, is_object ? '}' : ']');
}

void v2_text_add_json(struct lb_buf *buf, const cJSON *json)
{
    if (cJSON_IsString(json)) {
        lb_json_add_plain_string(buf, json->valuestring);
    } else {
        add_json(buf, json, 0);
    }
}

void v2_text_add_float(struct lb_buf *buf, double value, int decimals)
{
    size_t before = buf->len;

    lb_json_add_double(buf, value, decimals);
    if (strchr(lb_buf_text(buf) + before, '.') == NULL) {
        lb_buf_add_text(buf, ".0");
    }
}

static void add_symbol(struct lb_buf *buf, const char *currency)
{
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        if (strcmp(currency, symbols[i].code) == 0) {
            lb_buf_add_text(buf, symbols[i].symbol);
            return;
        }
    }
    lb_buf_add_text(buf, currency);
    lb_buf_add_text(buf, "\u00a0");
}

static void add_short(struct lb_buf *buf, double value)
{
    static const struct {
        double unit;
        const char *letter;
    } units[] = {{1e9, "B"}, {1e6, "M"}, {1e3, "K"}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (fabs(value) >= units[i].unit) {
            lb_buf_printf(buf, "%.1f%s", value / units[i].unit,
                          units[i].letter);
            return;
        }
    }
    lb_buf_printf(buf, "%.1f", value);
}

/* Two digits after the point, a comma between thousands. */
static void add_long(struct lb_buf *buf, double value)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "%.2f", fabs(value));
    int whole = len - 3;

    if (len < 0 || (size_t)len >= sizeof(text)) {
        return;
    }
    for (int i = 0; i < len; i++) {
        lb_buf_add_char(buf, text[i]);
        if (i + 1 < whole && (whole - i - 1) % 3 == 0) {
            lb_buf_add_char(buf, ',');
        }
    }
}

void v2_text_add_money(struct lb_buf *buf, double value, const char *currency)
{
    const char *sign = value < 0 ? "-" : "";

    lb_buf_add_text(buf, "{\"value\":");
    v2_text_add_float(buf, value, 2);
    lb_buf_printf(buf, ",\"currency\":\"%s\",\"short\":\"%s", currency, sign);
    add_symbol(buf, currency);
    add_short(buf, fabs(value));
    lb_buf_printf(buf, "\",\"long\":\"%s", sign);
    add_symbol(buf, currency);
    add_long(buf, value);
    lb_buf_add_text(buf, "\"}");
}
