/* export_row.c - an event as one row of an export. */
#include "aggregate/export_row.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "base/zone.h"

static const struct {
    const char *key;
    enum entry_text text;
} first_texts[] = {
    {"name", ENTRY_TEXT_NAME},         {"link", ENTRY_TEXT_LINK},
    {"host", ENTRY_TEXT_HOST},         {"page", ENTRY_TEXT_PAGE},
    {"referrer", ENTRY_TEXT_REFERRER}, {"source", ENTRY_TEXT_SOURCE},
    {"channel", ENTRY_TEXT_CHANNEL}};
static const struct {
    const char *key;
    enum entry_text text;
} last_texts[] = {{"click_id", ENTRY_TEXT_CLICK_ID},
                  {"country", ENTRY_TEXT_COUNTRY},
                  {"region", ENTRY_TEXT_REGION},
                  {"city", ENTRY_TEXT_CITY},
                  {"device", ENTRY_TEXT_DEVICE},
                  {"browser", ENTRY_TEXT_BROWSER},
                  {"browser_version", ENTRY_TEXT_BROWSER_VERSION},
                  {"os", ENTRY_TEXT_OS},
                  {"os_version", ENTRY_TEXT_OS_VERSION}};
static const char *const utm_keys[] = {"source", "medium", "campaign", "term",
                                       "content"};
static const char *const contact_keys[ENTRY_CONTACT_COUNT] = {
    "email", "name", "message", "phone"};
#define FIRST_COUNT (sizeof(first_texts) / sizeof(first_texts[0]))
#define LAST_COUNT (sizeof(last_texts) / sizeof(last_texts[0]))

static void add(struct lb_buf *out, const char *key, const char *text)
{
    lb_json_add_key(out, key);
    lb_json_add_string(out, text);
}

/* "2026-11-23.17": equal for events of one visitor in site and period, else
 * nothing. */
static const char *visitor_text(const struct entry *entry, char out[48])
{
    char day[LB_ZONE_DAY_BYTES];

    if (entry->visitor == 0) {
        return NULL;
    }
    lb_zone_format_day(entry->visitor_day, day);
    (void)snprintf(out, 48, "%s.%lld", day, (long long)entry->visitor);
    return out;
}

static void add_contact(struct lb_buf *out, const struct entry *entry)
{
    lb_json_add_key(out, "contact");
    lb_buf_add_char(out, '{');
    for (int i = 0; i < ENTRY_CONTACT_COUNT; i++) {
        if (entry->contact[i] != NULL) {
            add(out, contact_keys[i], entry->contact[i]);
        }
    }
    lb_buf_add_char(out, '}');
}

void export_row_json(const struct entry *entry,
                     const char *site,
                     struct lb_buf *out)
{
    char visitor[48];

    lb_buf_printf(out, "{\"seq\":%lld", (long long)entry->seq);
    add(out, "id", entry->text[ENTRY_TEXT_ID]);
    add(out, "type", entry_type_name(entry->type));
    add(out, "site", site);
    lb_json_add_key(out, "ts");
    lb_json_add_time(out, entry->ts_at_ms);
    lb_json_add_key(out, "received");
    lb_json_add_time(out, entry->received_at_ms);
    for (size_t i = 0; i < FIRST_COUNT; i++) {
        add(out, first_texts[i].key, entry->text[first_texts[i].text]);
    }
    lb_buf_add_text(out, ",\"utm\":{");
    for (int i = 0; i < 5; i++) {
        add(out, utm_keys[i], entry->text[ENTRY_TEXT_UTM_SOURCE + i]);
    }
    lb_buf_add_char(out, '}');
    for (size_t i = 0; i < LAST_COUNT; i++) {
        add(out, last_texts[i].key, entry->text[last_texts[i].text]);
    }
    add(out, "traffic", entry_traffic_name(entry->traffic));
    add(out, "reason", entry->text[ENTRY_TEXT_REASON]);
    add(out, "visitor", visitor_text(entry, visitor));
    lb_buf_printf(out, ",\"qr\":%s,\"double_tap\":%s,\"value\":",
                  entry->is_qr ? "true" : "false",
                  entry->is_double_tap ? "true" : "false");
    if (entry->has_amount) {
        lb_buf_add_text(out, "{\"amount\":");
        lb_json_add_double(out, (double)entry->amount_hundredths / 100, 2);
        add(out, "currency", entry->text[ENTRY_TEXT_CURRENCY]);
        lb_buf_add_char(out, '}');
    } else {
        lb_buf_add_text(out, "null");
    }
    add_contact(out, entry);
    lb_buf_add_text(out, ",\"props\":");
    lb_buf_add_text(out, entry->text[ENTRY_TEXT_PROPS] == NULL
                             ? "{}"
                             : entry->text[ENTRY_TEXT_PROPS]);
    lb_buf_add_text(out, "}\n");
}

void export_row_csv_header(struct lb_buf *out)
{
    lb_buf_add_text(
        out,
        "seq,id,type,site,ts,received,name,link,host,page,referrer,source,"
        "channel,"
        "utm_source,utm_medium,utm_campaign,utm_term,utm_content,click_id,"
        "country,region,"
        "city,device,browser,browser_version,os,os_version,traffic,reason,"
        "visitor,qr,"
        "double_tap,value_amount,value_currency,contact_email,contact_name,"
        "contact_message,contact_phone,props\r\n");
}

static void cell(struct lb_buf *out, const char *text)
{
    lb_buf_add_char(out, ',');
    lb_text_add_csv(out, text == NULL ? "" : text);
}

void export_row_csv(const struct entry *entry,
                    const char *site,
                    struct lb_buf *out)
{
    char time[LB_CLOCK_TEXT_BYTES];
    char visitor[48];

    lb_buf_add_int(out, entry->seq);
    cell(out, entry->text[ENTRY_TEXT_ID]);
    cell(out, entry_type_name(entry->type));
    cell(out, site);
    lb_clock_format(entry->ts_at_ms, time);
    cell(out, time);
    lb_clock_format(entry->received_at_ms, time);
    cell(out, time);
    for (size_t i = 0; i < FIRST_COUNT; i++) {
        cell(out, entry->text[first_texts[i].text]);
    }
    for (int i = 0; i < 5; i++) {
        cell(out, entry->text[ENTRY_TEXT_UTM_SOURCE + i]);
    }
    for (size_t i = 0; i < LAST_COUNT; i++) {
        cell(out, entry->text[last_texts[i].text]);
    }
    cell(out, entry_traffic_name(entry->traffic));
    cell(out, entry->text[ENTRY_TEXT_REASON]);
    cell(out, visitor_text(entry, visitor));
    cell(out, entry->is_qr ? "true" : "false");
    cell(out, entry->is_double_tap ? "true" : "false");
    lb_buf_add_char(out, ',');
    if (entry->has_amount) {
        lb_json_add_double(out, (double)entry->amount_hundredths / 100, 2);
    }
    cell(out, entry->text[ENTRY_TEXT_CURRENCY]);
    for (int i = 0; i < ENTRY_CONTACT_COUNT; i++) {
        cell(out, entry->contact[i]);
    }
    cell(out, entry->text[ENTRY_TEXT_PROPS]);
    lb_buf_add_text(out, "\r\n");
}
