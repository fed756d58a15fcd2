/* contributors.c - where the events of a window come from. */
#include "alerts/contributors.h"

#include <stdlib.h>
#include <string.h>

#include "alerts/faces.h"
#include "alerts/threshold.h"
#include "base/clock.h"
#include "base/json.h"
#include "sql/dict.h"
#include "sql/log_store.h"

#define SLOTS ((size_t)2 * CONTRIBUTORS_VALUES)
#define GROUP_BYTES 8192
#define AHEAD_MS (10 * LB_MS_PER_MIN) /* a client's clock may be so far on */
#define NOWHERE "Direct / None"       /* a source that is none */

enum dimension { BY_UTM_SOURCE, BY_SOURCE, BY_LINK, BY_COUNTRY, DIMENSIONS };
static const char *const names[DIMENSIONS] = {"utm_source", "source", "link",
                                              "country"};

struct value {
    enum dimension dimension;
    char *text; /* owned; NULL: free */
    int64_t count;
};

struct tally {
    struct value slots[SLOTS];
    size_t count;
    struct faces *faces; /* owned; visitors by value, when these are counted */
};

static uint64_t hash_of(enum dimension dimension, const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) + dimension;

    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    }
    return hash ^ hash >> 29;
}

/* False: out of memory. */
static bool add(struct tally *tally,
                enum dimension dimension,
                const char *text,
                int64_t weight)
{
    size_t at = (size_t)(hash_of(dimension, text) % SLOTS);
    struct value *value = &tally->slots[at];

    while (value->text != NULL &&
           (value->dimension != dimension || strcmp(value->text, text) != 0)) {
        at = (at + 1) % SLOTS;
        value = &tally->slots[at];
    }
    if (value->text == NULL) {
        if (tally->count == CONTRIBUTORS_VALUES) {
            return true;
        }
        *value = (struct value){dimension, strdup(text), 0};
        tally->count++;
    }
    value->count += weight;
    return value->text != NULL;
}

static bool is_of_group(const struct rule *rule, const char *name)
{
    for (size_t i = 0; i < rule->group_count; i++) {
        if (strcmp(rule->group[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* What the event adds to a value: of visitors, one whom it has not had. */
static int64_t weigh(const struct contributors *what,
                     struct tally *tally,
                     enum dimension dimension,
                     const char *text,
                     const struct entry *entry)
{
    char visitor[RULE_VISITOR_BYTES];
    struct lb_buf key;
    int64_t weight = rule_weight(what->rule, entry);

    if (!rule_counts_crowds(what->rule) || !rule_visitor(entry, visitor)) {
        return weight;
    }
    lb_buf_init(&key, GROUP_BYTES);
    lb_buf_printf(&key, "%d %s %s", (int)dimension, visitor, text);
    weight = faces_is_new(tally->faces, key.data, key.len) ? 1 : 0;
    lb_buf_deinit(&key);
    return weight;
}

static bool add_entry(const struct contributors *what,
                      struct tally *tally,
                      const struct entry *entry)
{
    const char *utm = entry->text[ENTRY_TEXT_UTM_SOURCE];
    const char *source = entry->text[ENTRY_TEXT_SOURCE];
    const char *texts[DIMENSIONS] = {utm, utm == NULL ? source : NULL,
                                     entry->text[ENTRY_TEXT_LINK],
                                     entry->text[ENTRY_TEXT_COUNTRY]};
    bool is_ok = true;

    for (int i = 0; i < DIMENSIONS; i++) {
        if (texts[i] != NULL && !is_of_group(what->rule, names[i]) &&
            (i != BY_SOURCE || strcmp(texts[i], NOWHERE) != 0)) {
            is_ok = is_ok &&
                    add(tally, (enum dimension)i, texts[i],
                        weigh(what, tally, (enum dimension)i, texts[i], entry));
        }
    }
    return is_ok;
}

int64_t contributors_received_ms(const struct entry *entry)
{
    return entry->is_silent ? threshold_time(entry) : entry->received_at_ms;
}

static bool is_before_last(const struct contributors *what,
                           const struct entry *entry)
{
    int64_t at_ms = contributors_received_ms(entry);
    int64_t last_ms = what->last->received_at_ms;

    return at_ms < last_ms ||
           (at_ms == last_ms && entry->seq <= what->last->seq);
}

static bool is_counted(const struct contributors *what,
                       const struct entry *entry,
                       struct lb_buf *key)
{
    const struct ruleset_rule *row =
        ruleset_find(what->set, what->rule->number);
    const char *intent = NULL;

    lb_buf_clear(key);
    return row != NULL && threshold_time(entry) >= what->from_ms &&
           threshold_time(entry) < what->to_ms &&
           (!what->is_rehearsal || is_before_last(what, entry)) &&
           rule_weight(what->rule, entry) != 0 &&
           ruleset_matches(what->set, (size_t)(row - what->set->rules), entry,
                           &intent) &&
           rule_group(what->rule, entry, what->site->id, intent, key) &&
           strcmp(lb_buf_text(key), what->group) == 0;
}

static enum lb_err read_all(const struct contributors *what,
                            struct log_reader *reader,
                            struct tally *tally,
                            struct lb_error *err)
{
    const struct entry *entry = NULL;
    struct lb_buf key;
    enum lb_err rc = LB_OK;

    lb_buf_init(&key, GROUP_BYTES);
    do {
        rc = log_reader_next(reader, &entry, err);
        if (rc == LB_OK && entry != NULL && is_counted(what, entry, &key) &&
            !add_entry(what, tally, entry)) {
            rc = lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    } while (rc == LB_OK && entry != NULL);
    lb_buf_deinit(&key);
    return rc;
}

/* The largest first; in ties as the dimensions stand, then by text. */
static int compare(const void *a, const void *b)
{
    const struct value *x = a;
    const struct value *y = b;

    if (x->text == NULL || y->text == NULL) {
        return (x->text == NULL) - (y->text == NULL);
    }
    if (x->count != y->count) {
        return x->count > y->count ? -1 : 1;
    }
    if (x->dimension != y->dimension) {
        return x->dimension < y->dimension ? -1 : 1;
    }
    return strcmp(x->text, y->text);
}

static void
write_all(const struct rule *rule, struct tally *tally, struct lb_buf *out)
{
    qsort(tally->slots, SLOTS, sizeof(tally->slots[0]), compare);
    lb_buf_add_char(out, '[');
    for (size_t i = 0; i < CONTRIBUTORS_MOST && i < tally->count; i++) {
        const struct value *value = &tally->slots[i];

        lb_buf_printf(out,
                      "%s{\"dimension\":\"%s\",\"value\":", i == 0 ? "" : ",",
                      names[value->dimension]);
        lb_json_add_plain_string(out, value->text);
        lb_buf_add_text(out, ",\"count\":");
        lb_json_add_double(out, rule_number(rule, value->count), 2);
        lb_buf_add_char(out, '}');
    }
    lb_buf_add_char(out, ']');
}

enum lb_err contributors_write(const struct contributors *what,
                               struct db *db,
                               struct lb_buf *out,
                               struct lb_error *err)
{
    const int64_t sites[] = {what->site->number};
    const struct log_range range = {
        .upto_seq = what->is_rehearsal ? INT64_MAX : what->last->seq,
        .from_at_ms = what->from_ms,
        .to_at_ms = what->to_ms + AHEAD_MS,
        .sites = sites,
        .site_count = 1,
        .has_texts = true};
    struct tally *tally = calloc(1, sizeof(*tally));
    struct dict_cache *cache;
    struct log_reader *reader = NULL;
    enum lb_err rc = LB_OK;

    if (tally == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    tally->faces = faces_new();
    cache = dict_cache_new();
    if (tally->faces == NULL || cache == NULL) {
        rc = lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    rc = rc == LB_OK ? log_reader_open(db, cache, &range, &reader, err) : rc;
    rc = rc == LB_OK ? read_all(what, reader, tally, err) : rc;
    if (rc == LB_OK) {
        write_all(what->rule, tally, out);
    }
    log_reader_close(reader);
    dict_cache_free(cache);
    for (size_t i = 0; i < SLOTS; i++) {
        free(tally->slots[i].text);
    }
    faces_free(tally->faces);
    free(tally);
    return rc;
}
