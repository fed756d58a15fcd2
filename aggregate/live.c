/* live.c - the last entries of the log. */
#include "aggregate/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "sql/log_store.h"

#define BEHIND                                                                 \
    10000 /* entries read at once; who is further behind goes on               \
             from LIVE_BACK before the end */
#define EVENT_BYTES ((size_t)64 * 1024)
#define SEEN_FIRST 1024

void live_add(struct lb_buf *out,
              const char *name,
              int64_t seq,
              const char *data)
{
    if (seq > 0) {
        lb_buf_printf(out, "id: %lld\n", (long long)seq);
    }
    lb_buf_printf(out, "event: %s\ndata: ", name);
    lb_buf_add_text(out, data); /* JSON has no line ends of its own here */
    lb_buf_add_text(out, "\n\n");
}

static void add_event(const struct live *live,
                      const struct entry *entry,
                      struct lb_buf *out)
{
    static const struct {
        const char *key;
        enum entry_text text;
    } texts[] = {{"link", ENTRY_TEXT_LINK},
                 {"page", ENTRY_TEXT_PAGE},
                 {"source", ENTRY_TEXT_SOURCE},
                 {"country", ENTRY_TEXT_COUNTRY},
                 {"device", ENTRY_TEXT_DEVICE}};
    const struct catalog_site *site =
        catalog_site_by_number(live->catalog, entry->site);
    struct lb_buf json;

    lb_buf_init(&json, EVENT_BYTES);
    lb_buf_printf(&json,
                  "{\"type\":\"%s\",\"ts\":", entry_type_name(entry->type));
    lb_json_add_time(&json, entry->ts_at_ms);
    lb_json_add_key(&json, "site");
    lb_json_add_string(&json, site == NULL ? NULL : site->id);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        lb_json_add_key(&json, texts[i].key);
        lb_json_add_string(&json, entry->text[texts[i].text]);
    }
    lb_buf_add_char(&json, '}');
    if (!json.is_failed) {
        live_add(out, "event", entry->seq, lb_buf_text(&json));
    }
    lb_buf_deinit(&json);
}

/* Whether one more may be told in this second. */
static bool take_turn(struct live *live)
{
    int64_t second = lb_clock_mono_ms() / LB_MS_PER_S;

    if (live->second != second) {
        live->second = second;
        live->told = 0;
    }
    return live->told++ < LIVE_A_SECOND;
}

static void add_skipped(struct live *live, struct lb_buf *out)
{
    char data[48];

    if (live->skipped > 0) {
        (void)snprintf(data, sizeof(data), "{\"events\":%lld}",
                       (long long)live->skipped);
        live_add(out, "skipped", live->seq, data);
        live->skipped = 0;
    }
}

enum lb_err live_read_events(struct live *live,
                             struct db *db,
                             int64_t upto_seq,
                             struct lb_buf *out,
                             struct lb_error *err)
{
    struct log_range range = {.upto_seq = upto_seq,
                              .from_at_ms = INT64_MIN,
                              .to_at_ms = INT64_MAX,
                              .sites = live->sites,
                              .site_count = live->site_count,
                              .has_texts = true};
    struct dict_cache *cache = dict_cache_new();
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    enum lb_err rc;

    if (upto_seq - live->seq > BEHIND) {
        live->skipped += upto_seq - LIVE_BACK - live->seq;
        live->seq = upto_seq - LIVE_BACK;
    }
    range.after_seq = live->seq;
    rc = cache == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory")
                       : log_reader_open(db, cache, &range, &reader, err);
    while (rc == LB_OK &&
           (rc = log_reader_next(reader, &entry, err)) == LB_OK &&
           entry != NULL) {
        if (entry->traffic != ENTRY_HUMAN || entry->is_silent) {
            continue;
        }
        if (live->has_no_rate || take_turn(live)) {
            add_event(live, entry, out);
        } else {
            live->skipped++;
        }
    }
    log_reader_close(reader);
    dict_cache_free(cache);
    if (rc == LB_OK) {
        live->seq = upto_seq > live->seq ? upto_seq : live->seq;
        live->has_no_rate = false;
        add_skipped(live, out);
    }
    return rc;
}

/* --- who is there --------------------------------------------------------- */

struct person {
    int64_t site; /* 0: free */
    int64_t day;
    int64_t visitor;
};

struct seen {
    struct person *slots; /* owned */
    size_t cap;           /* a power of two */
    size_t count;
};

static size_t slot_of(const struct seen *seen, const struct person *person)
{
    uint64_t hash = (uint64_t)person->visitor * UINT64_C(0x9e3779b97f4a7c15) ^
                    (uint64_t)person->site * UINT64_C(0xc2b2ae3d27d4eb4f) ^
                    (uint64_t)person->day;
    size_t at = (size_t)(hash ^ hash >> 29) & (seen->cap - 1);

    while (seen->slots[at].site != 0 &&
           memcmp(&seen->slots[at], person, sizeof(*person)) != 0) {
        at = (at + 1) & (seen->cap - 1);
    }
    return at;
}

static bool grow(struct seen *seen)
{
    size_t cap = seen->cap == 0 ? SEEN_FIRST : seen->cap * 2;
    struct person *old = seen->slots;
    size_t old_cap = seen->cap;

    seen->slots = calloc(cap, sizeof(struct person));
    if (seen->slots == NULL) {
        seen->slots = old;
        return false;
    }
    seen->cap = cap;
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i].site != 0) {
            seen->slots[slot_of(seen, &old[i])] = old[i];
        }
    }
    free(old);
    return true;
}

static bool note(struct seen *seen, const struct entry *entry)
{
    const struct person person = {entry->site, entry->visitor_day,
                                  entry->visitor};
    size_t at;

    if (seen->count * 2 >= seen->cap && !grow(seen)) {
        return false;
    }
    at = slot_of(seen, &person);
    if (seen->slots[at].site == 0) {
        seen->slots[at] = person;
        seen->count++;
    }
    return true;
}

enum lb_err live_read_state(const struct live *live,
                            struct db *db,
                            int64_t at_ms,
                            struct live_state *state_out,
                            struct lb_error *err)
{
    const struct log_range range = {.upto_seq = INT64_MAX,
                                    .from_at_ms = at_ms - LIVE_NOW_MS,
                                    .to_at_ms = at_ms + 1,
                                    .sites = live->sites,
                                    .site_count = live->site_count};
    struct dict_cache *cache = dict_cache_new();
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    struct seen seen = {NULL, 0, 0};
    enum lb_err rc = cache == NULL
                         ? lb_err_set(err, LB_ENOMEM, "out of memory")
                         : log_reader_open(db, cache, &range, &reader, err);

    memset(state_out, 0, sizeof(*state_out));
    while (rc == LB_OK &&
           (rc = log_reader_next(reader, &entry, err)) == LB_OK &&
           entry != NULL) {
        if (entry->traffic != ENTRY_HUMAN) {
            continue;
        }
        state_out->views += entry->type == ENTRY_VIEW;
        state_out->clicks +=
            entry->type == ENTRY_CLICK && !entry->is_double_tap;
        if (entry->visitor != 0 && !note(&seen, entry)) {
            rc = lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    state_out->visitors_now = (int64_t)seen.count;
    log_reader_close(reader);
    dict_cache_free(cache);
    free(seen.slots);
    return rc;
}
