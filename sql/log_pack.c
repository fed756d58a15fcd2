/* log_pack.c - writing and reading a pack of events. */
#include "sql/log_pack.h"

#include <string.h>

#include "base/clock.h"
#include "base/varint.h"

#define MARK_VISITOR 1U
#define MARK_AMOUNT 2U
#define FIRST_TEXT_MARK 2 /* as a bit's number */

static const enum entry_text texts[] = {
    ENTRY_TEXT_CURRENCY, ENTRY_TEXT_ID,          ENTRY_TEXT_NAME,
    ENTRY_TEXT_HOST,     ENTRY_TEXT_PAGE,        ENTRY_TEXT_REFERRER,
    ENTRY_TEXT_UTM_TERM, ENTRY_TEXT_UTM_CONTENT, ENTRY_TEXT_CLICK_ID,
    ENTRY_TEXT_PROPS};
#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))
#define MARK_BITS (FIRST_TEXT_MARK + TEXT_COUNT)

/* Bytes of an event without its texts: the hash, and eleven numbers besides
 * those of the dictionary. */
#define NUMBERS_BYTES (8 + (11 + ENTRY_DICT_COUNT) * LB_VARINT_BYTES)

static uint64_t difference(int64_t a, int64_t b)
{
    return lb_varint_zigzag((int64_t)((uint64_t)a - (uint64_t)b));
}

static int64_t sum(int64_t a, uint64_t zigzag)
{
    return (int64_t)((uint64_t)a + (uint64_t)lb_varint_unzigzag(zigzag));
}

void log_pack_init(struct log_pack *pack)
{
    memset(pack, 0, sizeof(*pack));
    lb_buf_init(&pack->body, LOG_PACK_BYTES_MAX);
}

void log_pack_deinit(struct log_pack *pack)
{
    lb_buf_deinit(&pack->body);
}

void log_pack_clear(struct log_pack *pack)
{
    lb_buf_clear(&pack->body);
    pack->count = 0;
    pack->seq = 0;
    pack->ts_at_ms = 0;
}

static uint64_t marks_of(const struct entry *event)
{
    uint64_t marks = (event->visitor != 0 ? MARK_VISITOR : 0) |
                     (event->has_amount ? MARK_AMOUNT : 0);

    for (size_t i = 0; i < TEXT_COUNT; i++) {
        marks |= event->text[texts[i]] == NULL
                     ? 0
                     : UINT64_C(1) << (FIRST_TEXT_MARK + i);
    }
    return marks;
}

static uint8_t *put_hash(uint8_t *at, uint64_t hash)
{
    for (int i = 0; i < 8; i++) {
        *at++ = (uint8_t)(hash >> 8 * i);
    }
    return at;
}

static uint8_t *put_numbers(const struct log_pack *pack,
                            const struct entry *event,
                            uint64_t marks,
                            uint8_t *at)
{
    at = lb_varint_put(at, (uint64_t)event->seq - (uint64_t)pack->seq);
    at = lb_varint_put(at, (uint64_t)event->site);
    at = lb_varint_put(at, difference(event->ts_at_ms, pack->ts_at_ms));
    at = lb_varint_put(at, difference(event->received_at_ms, event->ts_at_ms));
    at = lb_varint_put(at, (uint64_t)entry_bits(event));
    at = put_hash(at, event->id_hash);
    at = lb_varint_put(at, marks);
    if (event->visitor != 0) {
        at = lb_varint_put(at, difference(event->visitor_day,
                                          event->ts_at_ms / LB_MS_PER_DAY));
        at = lb_varint_put(at, (uint64_t)event->visitor);
    }
    for (int i = 0; i < ENTRY_DICT_COUNT; i++) {
        at = lb_varint_put(at, (uint64_t)event->dict[i]);
    }
    if (event->has_amount) {
        at = lb_varint_put(at, lb_varint_zigzag(event->amount_hundredths));
    }
    return lb_varint_put(at, event->bot_entry);
}

void log_pack_add(struct log_pack *pack, const struct entry *event)
{
    struct lb_buf *body = &pack->body;
    uint64_t marks = marks_of(event);
    size_t lens[TEXT_COUNT] = {0};
    size_t bytes = 0;
    uint8_t *at;

    for (size_t i = 0; i < TEXT_COUNT; i++) {
        const char *text = event->text[texts[i]];

        lens[i] = text == NULL ? 0 : strlen(text) + 1;
        bytes += lens[i];
    }
    if (pack->count == 0) {
        lb_buf_add_char(body, LOG_PACK_VERSION);
    }
    if (lb_buf_reserve(body, NUMBERS_BYTES + bytes) != LB_OK) {
        body->is_failed = true;
        return;
    }
    at = put_numbers(pack, event, marks, (uint8_t *)body->data + body->len);
    at = lb_varint_put(at, bytes);
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        if (lens[i] > 0) {
            memcpy(at, event->text[texts[i]], lens[i]);
            at += lens[i];
        }
    }
    pack->before_len = pack->count == 0 ? 0 : body->len;
    pack->before_seq = pack->seq;
    pack->before_ts_ms = pack->ts_at_ms;
    body->len = (size_t)(at - (uint8_t *)body->data);
    body->data[body->len] = '\0';
    pack->seq = event->seq;
    pack->ts_at_ms = event->ts_at_ms;
    pack->count++;
}

void log_pack_drop_last(struct log_pack *pack)
{
    pack->body.len = pack->before_len;
    pack->seq = pack->before_seq;
    pack->ts_at_ms = pack->before_ts_ms;
    pack->count--;
}

/* --- reading -------------------------------------------------------------- */

enum lb_err
log_pack_open(const void *bytes, size_t len, struct log_pack_place *place_out)
{
    const uint8_t *at = bytes;

    *place_out = (struct log_pack_place){at, at, 0, 0};
    if (len == 0 || at[0] != LOG_PACK_VERSION) {
        return LB_EFORMAT;
    }
    place_out->at = at + 1;
    place_out->end = at + len;
    return LB_OK;
}

bool log_pack_has_next(const struct log_pack_place *place)
{
    return place->at < place->end;
}

/* The next number; 0 and no place any more where there is none. */
static uint64_t take(struct log_pack_place *place)
{
    uint64_t value = 0;

    if (place->at != NULL) {
        place->at = lb_varint_take(place->at, place->end, &value);
    }
    return place->at == NULL ? 0 : value;
}

static uint64_t take_hash(struct log_pack_place *place)
{
    uint64_t hash = 0;

    if (place->at == NULL || place->end - place->at < 8) {
        place->at = NULL;
        return 0;
    }
    for (int i = 0; i < 8; i++) {
        hash |= (uint64_t)*place->at++ << 8 * i;
    }
    return hash;
}

static uint64_t take_numbers(struct log_pack_place *place, struct entry *entry)
{
    uint64_t marks;

    entry->kind = ENTRY_EVENT;
    entry->seq = (int64_t)((uint64_t)place->seq + take(place));
    entry->site = (int64_t)take(place);
    entry->ts_at_ms = sum(place->ts_at_ms, take(place));
    entry->received_at_ms = sum(entry->ts_at_ms, take(place));
    entry_set_bits(entry, (int64_t)take(place));
    entry->id_hash = take_hash(place);
    marks = take(place);
    if ((marks & MARK_VISITOR) != 0) {
        entry->visitor_day = sum(entry->ts_at_ms / LB_MS_PER_DAY, take(place));
        entry->visitor = (int64_t)take(place);
    }
    for (int i = 0; i < ENTRY_DICT_COUNT; i++) {
        entry->dict[i] = (int64_t)take(place);
    }
    entry->has_amount = (marks & MARK_AMOUNT) != 0;
    if (entry->has_amount) {
        entry->amount_hundredths = lb_varint_unzigzag(take(place));
    }
    entry->bot_entry = (uint32_t)take(place);
    return marks;
}

/* All of them end before end; the last byte there is a NUL. */
static bool
take_texts(const char *at, const char *end, uint64_t marks, struct entry *entry)
{
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        if ((marks >> (FIRST_TEXT_MARK + i) & 1) == 0) {
            continue;
        }
        if (at >= end) {
            return false;
        }
        entry->text[texts[i]] = at;
        at += strlen(at) + 1;
    }
    return at == end;
}

enum lb_err log_pack_next(struct log_pack_place *place,
                          bool has_texts,
                          struct entry *entry_out)
{
    uint64_t marks;
    uint64_t bytes;
    const char *begin;

    memset(entry_out, 0, sizeof(*entry_out));
    marks = take_numbers(place, entry_out);
    bytes = take(place);
    if (place->at == NULL || marks >> MARK_BITS != 0 ||
        bytes > (uint64_t)(place->end - place->at)) {
        return LB_EFORMAT;
    }
    begin = (const char *)place->at;
    place->at += bytes;
    place->seq = entry_out->seq;
    place->ts_at_ms = entry_out->ts_at_ms;
    if (!has_texts) {
        entry_out->bot_entry = 0;
        return LB_OK;
    }
    if (bytes > 0 && begin[bytes - 1] != '\0') {
        return LB_EFORMAT;
    }
    return take_texts(begin, begin + bytes, marks, entry_out) ? LB_OK
                                                              : LB_EFORMAT;
}
