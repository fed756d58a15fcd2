/* sample.c - an alert as a rule would raise it, made up. */
#include "alerts/sample.h"

#include "alerts/message.h"
#include "base/clock.h"
#include "base/json.h"

#define GROUP_BYTES 8192
#define SPIKE_VALUE 14
#define SPIKE_USUAL 2.1
#define DROP_VALUE 3
#define DROP_USUAL 40.5
#define USUAL_SHARE 0.2

static enum entry_type first_type(const struct rule *rule)
{
    for (int type = ENTRY_TYPE_COUNT - 1; type > 0; type--) {
        if ((rule->types & 1u << type) != 0) {
            return (enum entry_type)type;
        }
    }
    return ENTRY_VIEW;
}

static void fill_event(const struct sample *sample, struct entry *entry)
{
    static const struct {
        enum entry_text text;
        const char *value;
    } texts[] = {{ENTRY_TEXT_ID, "ev_0000000000000000"},
                 {ENTRY_TEXT_NAME, "Sample"},
                 {ENTRY_TEXT_PAGE, "/"},
                 {ENTRY_TEXT_SOURCE, "newsletter"},
                 {ENTRY_TEXT_CHANNEL, "Email"},
                 {ENTRY_TEXT_UTM_SOURCE, "newsletter"},
                 {ENTRY_TEXT_UTM_MEDIUM, "email"},
                 {ENTRY_TEXT_UTM_CAMPAIGN, "spring"},
                 {ENTRY_TEXT_COUNTRY, "FR"},
                 {ENTRY_TEXT_DEVICE, "Mobile"}};

    entry->kind = ENTRY_EVENT;
    entry->type = first_type(sample->rule);
    entry->site = sample->site->number;
    entry->received_at_ms = sample->now_ms;
    entry->ts_at_ms = sample->now_ms;
    entry->has_amount = sample->rule->metric == RULE_VALUE;
    entry->amount_hundredths = 1250;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        entry->text[texts[i].text] = texts[i].value;
    }
    if (sample->site->link_count > 0 && entry->type != ENTRY_VIEW) {
        entry->text[ENTRY_TEXT_LINK] = sample->site->links[0].slug;
    }
    if (entry->type == ENTRY_LEAD) {
        entry->contact[ENTRY_CONTACT_NAME] = "Sam Sample";
        entry->contact[ENTRY_CONTACT_EMAIL] = "sam@example.com";
    }
}

static double value_of(const struct rule *rule)
{
    switch (rule->kind) {
    case RULE_THRESHOLD:
    case RULE_BURST:
        return rule->is_below ? rule->limit / 2 : rule->limit + 1;
    case RULE_MILESTONE:
        return rule_number(rule, rule->every);
    case RULE_CTR:
        return (1 - rule->drop) * USUAL_SHARE;
    case RULE_SPIKE:
        return SPIKE_VALUE;
    case RULE_DROP:
        return DROP_VALUE;
    case RULE_EVENT:
    case RULE_FIRST_SEEN:
    case RULE_ABSENT:
    case RULE_NOT_PULLED:
        break;
    }
    return 0;
}

static double expected_of(const struct rule *rule)
{
    return rule->kind == RULE_SPIKE  ? SPIKE_USUAL
           : rule->kind == RULE_DROP ? DROP_USUAL
                                     : USUAL_SHARE;
}

void sample_write(const struct sample *sample, struct lb_buf *out)
{
    struct entry entry = {.seq = 0};
    struct lb_buf group;
    struct lb_buf data;
    struct message_alert alert = {.id = sample->id,
                                  .rule = sample->rule,
                                  .site = sample->site,
                                  .entry = &entry,
                                  .fired_at_ms = sample->now_ms,
                                  .value = value_of(sample->rule),
                                  .expected = expected_of(sample->rule),
                                  .probability = 0.001,
                                  .public_url = sample->public_url};

    fill_event(sample, &entry);
    alert.window_from_ms = sample->now_ms + 1 - sample->rule->window_ms;
    alert.window_to_ms = sample->now_ms + 1;
    lb_buf_init(&group, GROUP_BYTES);
    lb_buf_init(&data, MESSAGE_BYTES);
    if (!rule_group(sample->rule, &entry, sample->site->id, NULL, &group)) {
        lb_buf_clear(&group);
        lb_buf_add_text(&group, "{}");
    }
    alert.group = lb_buf_text(&group);
    message_data(&alert, &data);
    /* The last brace makes room for one more key. */
    data.len--;
    data.data[data.len] = '\0';
    lb_json_add_key(&data, "destination");
    lb_json_add_plain_string(&data, sample->destination);
    lb_buf_add_char(&data, '}');
    message_body("test", sample->now_ms, lb_buf_text(&data), out);
    lb_buf_deinit(&group);
    lb_buf_deinit(&data);
}
