/* live.c - the last entries of the log. */
#include "aggregate/live.h"

#include <stdio.h>
#include <string.h>

#include "aggregate/tally.h"
#include "base/clock.h"
#include "base/json.h"
#include "sql/log_store.h"

#define BEHIND                                                                 \
    10000 /* entries read at once; who is further behind goes on               \
             from LIVE_BACK before the end */
#define EVENT_BYTES ((size_t)64 * 1024)

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

static enum lb_err count_people(const struct live *live,
                                struct db *db,
                                int64_t at_ms,
                                struct tally *people,
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
    enum lb_err rc = cache == NULL
                         ? lb_err_set(err, LB_ENOMEM, "out of memory")
                         : log_reader_open(db, cache, &range, &reader, err);

    while (rc == LB_OK &&
           (rc = log_reader_next(reader, &entry, err)) == LB_OK &&
           entry != NULL) {
        if (entry->traffic == ENTRY_HUMAN &&
            tally_add(people, "", 0, entry) != LB_OK) {
            rc = lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    log_reader_close(reader);
    dict_cache_free(cache);
    return rc;
}

enum lb_err live_read_state(const struct live *live,
                            struct db *db,
                            int64_t at_ms,
                            struct live_state *state_out,
                            struct lb_error *err)
{
    struct tally *people = tally_new(1);
    const struct tally_group *all;
    enum lb_err rc = people == NULL
                         ? lb_err_set(err, LB_ENOMEM, "out of memory")
                         : count_people(live, db, at_ms, people, err);

    memset(state_out, 0, sizeof(*state_out));
    if (rc == LB_OK && tally_count(people) > 0) {
        tally_finish(people, NULL, NULL, NULL);
        all = tally_at(people, 0);
        *state_out = (struct live_state){all->visitors, all->counts.views,
                                         all->counts.clicks};
    }
    tally_free(people);
    return rc;
}
