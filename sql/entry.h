/* entry.h - one entry of the log, as ingestion appends it and as the consumers
 * of the cursor, exports and rules get it.  Mostly events; the rest is whatever
 * else a decision may depend on. */
#ifndef LINKBELL_SQL_ENTRY_H
#define LINKBELL_SQL_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

/* Stored numbers: never renumber. */
enum entry_kind {
    ENTRY_EVENT = 0,
    ENTRY_TICK = 1,   /* a minute went by while a rule waits for time to pass */
    ENTRY_START = 2,  /* the service began to listen; data: {"down_from":ms} */
    ENTRY_CONFIG = 3, /* sites, links, rules or destinations changed */
    ENTRY_MUTE = 4,   /* a rule or group was muted; data: {"rule":id,
                         "site":id or null, "group":text, "until":ms} */
    ENTRY_PULL = 5,   /* an export was pulled */
    ENTRY_CLOCK_BACK = 6, /* the wall clock was set back by more than 10 s;
                             data: {"from":ms} */
    ENTRY_RULE_READY = 7, /* a rule has learnt and decides from here on; data:
                             {"rule":number} */
    ENTRY_COVERAGE = 8,   /* figures of a site are incomplete (coverage.h) */
    ENTRY_NOTICE = 9,     /* the owner is to be told (notice.h) */
    ENTRY_ENGAGEMENT = 10 /* how far a visitor read; data: sql/engagement.h */
};

enum entry_type {
    ENTRY_VIEW = 0,
    ENTRY_CLICK = 1,
    ENTRY_LEAD = 2,
    ENTRY_CONVERSION = 3
};
#define ENTRY_TYPE_COUNT 4

enum entry_traffic {
    ENTRY_HUMAN = 0,
    ENTRY_PREVIEW = 1,
    ENTRY_PREFETCH = 2,
    ENTRY_BOT = 3
};
#define ENTRY_TRAFFIC_COUNT 4

/* The texts of an event.  NULL: the event has none. */
enum entry_text {
    ENTRY_TEXT_ID = 0,
    ENTRY_TEXT_NAME,
    ENTRY_TEXT_LINK, /* slug */
    ENTRY_TEXT_HOST,
    ENTRY_TEXT_PAGE,
    ENTRY_TEXT_REFERRER,
    ENTRY_TEXT_SOURCE,
    ENTRY_TEXT_CHANNEL,
    ENTRY_TEXT_UTM_SOURCE,
    ENTRY_TEXT_UTM_MEDIUM,
    ENTRY_TEXT_UTM_CAMPAIGN,
    ENTRY_TEXT_UTM_TERM,
    ENTRY_TEXT_UTM_CONTENT,
    ENTRY_TEXT_CLICK_ID, /* the parameter's name only */
    ENTRY_TEXT_COUNTRY,
    ENTRY_TEXT_REGION,
    ENTRY_TEXT_CITY,
    ENTRY_TEXT_DEVICE,
    ENTRY_TEXT_BROWSER,
    ENTRY_TEXT_BROWSER_VERSION,
    ENTRY_TEXT_OS,
    ENTRY_TEXT_OS_VERSION,
    ENTRY_TEXT_REASON, /* why it is not human */
    ENTRY_TEXT_CURRENCY,
    ENTRY_TEXT_PROPS, /* a flat JSON object */
    ENTRY_TEXT_COUNT
};

enum entry_contact {
    ENTRY_CONTACT_EMAIL = 0,
    ENTRY_CONTACT_NAME,
    ENTRY_CONTACT_MESSAGE,
    ENTRY_CONTACT_PHONE,
    ENTRY_CONTACT_COUNT
};

/* Columns that hold numbers of the shared dictionary (dict.h); 0 is "none". */
enum entry_dict {
    ENTRY_DICT_LINK = 0,
    ENTRY_DICT_SOURCE,
    ENTRY_DICT_CHANNEL,
    ENTRY_DICT_UTM_SOURCE,
    ENTRY_DICT_UTM_MEDIUM,
    ENTRY_DICT_UTM_CAMPAIGN,
    ENTRY_DICT_PLACE,  /* country, region, city joined by \x1f */
    ENTRY_DICT_DEVICE, /* device, browser, its version, os, its version, by \x1f
                        */
    ENTRY_DICT_REASON,
    ENTRY_DICT_COUNT
};

struct entry {
    int64_t seq; /* log number, from 1; 0 until appended */
    enum entry_kind kind;
    int64_t received_at_ms;
    int64_t ts_at_ms; /* of an event; else received_at_ms */

    /* Of events only, from here on. */
    int64_t site; /* catalog number */
    enum entry_type type;
    enum entry_traffic traffic;
    bool is_double_tap; /* a click that counts in clicks_raw alone */
    bool is_orphan;     /* a click without a view in the 30 minutes before */
    bool is_qr;
    bool is_silent;      /* imported: rules learn from it and stay silent */
    bool is_visit_start; /* the first event of a visit */
    bool is_passive;     /* came by itself: does not undo a bounce */
    bool has_amount;
    int64_t amount_hundredths;
    uint64_t email_hash; /* of the address it gave, kept or not; 0: none; only
                            on the way into the log */
    uint64_t id_hash;    /* keyed hash of site and id, see event_store.h */
    uint32_t bot_entry;  /* of the list of crawlers: what the user agent matched
                            or might have (ingest/bot.h); 0: none; read only
                            together with the texts */
    int64_t visitor_day; /* local day on which the visitor's period begins */
    int64_t visitor;     /* dense number in site and period from 1; 0: none */
    int64_t dict[ENTRY_DICT_COUNT];
    const char *text[ENTRY_TEXT_COUNT]; /* borrowed */
    const char
        *contact[ENTRY_CONTACT_COUNT]; /* borrowed; what keep_contact allows */

    const char *data; /* of the other kinds: a JSON object, or NULL; borrowed */
};

/* An event's type, class and flags as one number, as the log stores them. */
int64_t entry_bits(const struct entry *entry);
void entry_set_bits(struct entry *entry, int64_t bits);

/* The words of the interface: "view", "human", ...  Static. */
const char *entry_type_name(enum entry_type type);
const char *entry_traffic_name(enum entry_traffic traffic);

/* The way back; false for a word that is none. */
bool entry_type_from_name(const char *name, enum entry_type *type_out);
bool entry_traffic_from_name(const char *name, enum entry_traffic *traffic_out);

#endif
