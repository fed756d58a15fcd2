/* log_pack.h - the format of a pack: a few events that are not sealed yet, one
 * behind the other.  Version 1:
 *
 * A byte that says 1; then of each event, as LEB128 varints (base/varint.h):
 * log number (difference to the event before, the first to 0), site, ts
 * (difference to the event before, the first to 0, zigzag), receive time
 * (difference to ts, zigzag), bits (entry_bits()), id_hash (8 bytes,
 * little-endian), marks; with mark 1 the visitor's day (difference to that of
 * ts in UTC, zigzag) and number; the numbers of entry->dict in their order;
 * with mark 2 the amount in hundredths (zigzag); bot_entry; bytes of its texts;
 * and the texts themselves, each with a NUL at its end: currency, id, name,
 * host, page, referrer, utm_term, utm_content, click_id, props, which are there
 * with the marks 4, 8, ... 2048.
 *
 * Pure. */
#ifndef LINKBELL_SQL_LOG_PACK_H
#define LINKBELL_SQL_LOG_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "sql/entry.h"

#define LOG_PACK_VERSION 1
#define LOG_PACK_BYTES_MAX ((size_t)16 * 1024 * 1024) /* of one large event */

/* The texts of an event that stand in a pack, as bits of enum entry_text; the
 * others are numbers of the dictionary. */
#define LOG_PACK_TEXTS                                                         \
    (1U << ENTRY_TEXT_CURRENCY | 1U << ENTRY_TEXT_ID | 1U << ENTRY_TEXT_NAME | \
     1U << ENTRY_TEXT_HOST | 1U << ENTRY_TEXT_PAGE |                           \
     1U << ENTRY_TEXT_REFERRER | 1U << ENTRY_TEXT_UTM_TERM |                   \
     1U << ENTRY_TEXT_UTM_CONTENT | 1U << ENTRY_TEXT_CLICK_ID |                \
     1U << ENTRY_TEXT_PROPS)

/* A pack that is being written. */
struct log_pack {
    struct lb_buf body; /* owned */
    size_t count;       /* events so far */
    int64_t seq;        /* of the last one */
    int64_t ts_at_ms;
    size_t before_len; /* before the last one was added */
    int64_t before_seq;
    int64_t before_ts_ms;
};

void log_pack_init(struct log_pack *pack);
void log_pack_deinit(struct log_pack *pack);
void log_pack_clear(struct log_pack *pack); /* keeps the memory */
/* In the order of log numbers.  The body is marked failed when it is too long.
 */
void log_pack_add(struct log_pack *pack, const struct entry *event);
/* Takes back the add just before. */
void log_pack_drop_last(struct log_pack *pack);

/* A place in a pack. */
struct log_pack_place {
    const uint8_t *at;
    const uint8_t *end;
    int64_t seq; /* of the event before */
    int64_t ts_at_ms;
};

/* LB_EFORMAT: not of this version; bytes are borrowed. */
LB_MUST_CHECK enum lb_err
log_pack_open(const void *bytes, size_t len, struct log_pack_place *place_out);
bool log_pack_has_next(const struct log_pack_place *place);
/* Sets all of entry, with texts that lie in the pack, or none without
 * has_texts (and no bot_entry).  LB_EFORMAT: it is damaged. */
LB_MUST_CHECK enum lb_err log_pack_next(struct log_pack_place *place,
                                        bool has_texts,
                                        struct entry *entry_out);

#endif
