/* channel.c - the marketing channel of an event. */
#include "ingest/channel.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

/* What the tests look at; texts are never NULL. */
struct facts {
    const char *medium;
    const char *campaign;
    const char *source; /* utm_source */
    const struct source_verdict *verdict;
    enum click_id_kind id_kind; /* CLICK_ID_NONE without an identifier */
    const char *id_source; /* the source that the identifier names, or NULL */
    bool is_paid_medium;
};

static bool has(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

static bool is(const char *text, const char *word)
{
    return strcasecmp(text, word) == 0;
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (is(text, *words)) {
            return true;
        }
    }
    return false;
}

static bool begins_with(const char *text, const char *word)
{
    return strncasecmp(text, word, strlen(word)) == 0;
}

static bool ends_with(const char *text, const char *word)
{
    size_t len = strlen(text);
    size_t word_len = strlen(word);

    return len >= word_len && is(text + len - word_len, word);
}

static bool is_category(const struct facts *facts,
                        enum source_category category)
{
    return facts->verdict->row != NULL &&
           facts->verdict->row->category == category;
}

static bool is_paid_id(const struct facts *facts)
{
    return facts->id_kind == CLICK_ID_PAID;
}

/* Paid by medium, by alias, or by an identifier of this very source. */
static bool is_paid_here(const struct facts *facts)
{
    if (facts->is_paid_medium || facts->verdict->is_paid_alias) {
        return true;
    }
    return is_paid_id(facts) && facts->id_source != NULL &&
           facts->verdict->row != NULL &&
           strcmp(facts->id_source, facts->verdict->row->name) == 0;
}

/* (^|[^a-df-z])shop, or "shopping": "shop" as a word, not "workshop"; the gap
 * in the class lets "eshop" through. */
static bool is_shop_campaign(const char *campaign)
{
    const char *at = campaign;

    if (has(campaign, "shopping")) {
        return true;
    }
    while ((at = strcasestr(at, "shop")) != NULL) {
        int before = at == campaign ? ' ' : lb_text_fold(at[-1]);

        if (before == 'e' || before < 'a' || before > 'z') {
            return true;
        }
        at++;
    }
    return false;
}

static bool is_shopping(const struct facts *facts)
{
    return is_category(facts, SOURCE_SHOPPING) ||
           is_shop_campaign(facts->campaign);
}

/* Rows 1 to 7. */
static const char *paid_channel(const struct facts *facts)
{
    static const char *const display[] = {
        "display", "banner", "expandable", "interstitial", "cpm", NULL};

    if (has(facts->campaign, "cross-network")) {
        return "Cross-network";
    }
    if (facts->is_paid_medium && is_shopping(facts)) {
        return "Paid Shopping";
    }
    if (is_category(facts, SOURCE_SEARCH) && is_paid_here(facts)) {
        return "Paid Search";
    }
    if (is_category(facts, SOURCE_SOCIAL) && is_paid_here(facts)) {
        return "Paid Social";
    }
    if (is_category(facts, SOURCE_VIDEO) &&
        (is_paid_here(facts) || is_paid_id(facts))) {
        return "Paid Video";
    }
    if (is_one_of(facts->medium, display) ||
        facts->id_kind == CLICK_ID_DISPLAY) {
        return "Display";
    }
    if (facts->is_paid_medium || facts->verdict->is_paid_alias ||
        is_paid_id(facts)) {
        return "Paid Other";
    }
    return NULL;
}

static bool is_email(const struct facts *facts)
{
    static const char *const words[] = {"email",  "e-mail",     "e_mail",
                                        "e mail", "newsletter", NULL};

    if (is_category(facts, SOURCE_EMAIL) || facts->id_kind == CLICK_ID_EMAIL) {
        return true;
    }
    for (const char *const *word = words; *word != NULL; word++) {
        if (has(facts->source, *word) || has(facts->medium, *word)) {
            return true;
        }
    }
    return false;
}

/* Rows 8 to 13. */
static const char *organic_channel(const struct facts *facts)
{
    static const char *const social[] = {
        "social", "social-network", "social-media",
        "sm",     "social network", "social media",
        NULL};

    if (is_shopping(facts)) {
        return "Organic Shopping";
    }
    if (is_category(facts, SOURCE_SOCIAL) || is_one_of(facts->medium, social)) {
        return "Organic Social";
    }
    if (is_category(facts, SOURCE_VIDEO) || has(facts->medium, "video")) {
        return "Organic Video";
    }
    if (is_category(facts, SOURCE_AI)) {
        return "AI Assistants";
    }
    if (is_category(facts, SOURCE_SEARCH) || is(facts->medium, "organic")) {
        return "Organic Search";
    }
    return is_email(facts) ? "Email" : NULL;
}

/* Rows 14 to 19. */
static const char *other_channel(const struct facts *facts)
{
    static const char *const affiliate[] = {"affiliate", "affiliates", NULL};
    static const char *const referral[] = {"referral", "app", "link", NULL};

    if (is_one_of(facts->medium, affiliate) ||
        facts->id_kind == CLICK_ID_AFFILIATE) {
        return "Affiliates";
    }
    if (is(facts->medium, "audio") || is_category(facts, SOURCE_AUDIO)) {
        return "Audio";
    }
    if (is(facts->medium, "sms") || is(facts->source, "sms")) {
        return "SMS";
    }
    if (ends_with(facts->medium, "push") || has(facts->medium, "mobile") ||
        has(facts->medium, "notification") || is(facts->source, "firebase")) {
        return "Mobile Push Notifications";
    }
    if (facts->verdict->is_known || is_one_of(facts->medium, referral)) {
        return "Referral";
    }
    return "Direct";
}

/* Whether nothing but the source says where the visitor came from: most events
 * carry neither campaign nor identifier. */
static bool is_untagged(const struct facts *facts)
{
    return facts->medium[0] == '\0' && facts->campaign[0] == '\0' &&
           facts->source[0] == '\0' && facts->id_kind == CLICK_ID_NONE;
}

/* What the rows come to then. */
static const char *channel_of_source(const struct source_verdict *source)
{
    static const char *const channels[] = {
        [SOURCE_SEARCH] = "Organic Search",
        [SOURCE_SOCIAL] = "Organic Social",
        [SOURCE_VIDEO] = "Organic Video",
        [SOURCE_SHOPPING] = "Organic Shopping",
        [SOURCE_EMAIL] = "Email",
        [SOURCE_AI] = "AI Assistants",
        [SOURCE_AUDIO] = "Audio",
        [SOURCE_REFERRAL] = "Referral"};

    if (source->row != NULL) {
        return channels[source->row->category];
    }
    return source->is_known ? "Referral" : "Direct";
}

static const char *text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

const char *channel_decide(const struct utm *utm,
                           const struct source_verdict *source)
{
    struct facts facts = {
        .medium = text_or_empty(utm->value[UTM_MEDIUM]),
        .campaign = text_or_empty(utm->value[UTM_CAMPAIGN]),
        .source = text_or_empty(utm->value[UTM_SOURCE]),
        .verdict = source,
        .id_kind = CLICK_ID_NONE,
    };
    const char *channel;

    if (utm->click_id != NULL) {
        facts.id_kind = utm->click_id->kind;
        facts.id_source = utm->click_id->source;
    }
    if (is_untagged(&facts)) {
        return channel_of_source(source);
    }
    facts.is_paid_medium = has(facts.medium, "cp") || is(facts.medium, "ppc") ||
                           is(facts.medium, "retargeting") ||
                           begins_with(facts.medium, "paid");
    channel = paid_channel(&facts);
    if (channel == NULL) {
        channel = organic_channel(&facts);
    }
    return channel == NULL ? other_channel(&facts) : channel;
}
