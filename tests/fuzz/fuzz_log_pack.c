/* fuzz_log_pack.c - a pack's bytes, whatever they are: read or refused; what
 * was read is written and read again as it was. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sql/log_pack.h"

#define EVENTS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
read_all(const void *bytes, size_t len, bool has_texts, struct entry *events)
{
    struct log_pack_place place;
    size_t count = 0;
    enum lb_err rc = log_pack_open(bytes, len, &place);

    while (rc == LB_OK && count < EVENTS && log_pack_has_next(&place)) {
        rc = log_pack_next(&place, has_texts, &events[count]);
        count += rc == LB_OK ? 1 : 0;
    }
    return count;
}

static void check_same(const struct entry *a, const struct entry *b)
{
    for (int i = 0; i < ENTRY_TEXT_COUNT; i++) {
        if ((a->text[i] == NULL) != (b->text[i] == NULL) ||
            (a->text[i] != NULL && strcmp(a->text[i], b->text[i]) != 0)) {
            abort();
        }
    }
    if (a->seq != b->seq || a->ts_at_ms != b->ts_at_ms ||
        a->received_at_ms != b->received_at_ms || a->site != b->site ||
        a->visitor != b->visitor || a->id_hash != b->id_hash ||
        a->amount_hundredths != b->amount_hundredths ||
        a->bot_entry != b->bot_entry || entry_bits(a) != entry_bits(b) ||
        memcmp(a->dict, b->dict, sizeof(a->dict)) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct entry events[EVENTS];
    static struct entry again[EVENTS];
    struct log_pack pack;
    size_t count = read_all(data, size, true, events);

    log_pack_init(&pack);
    for (size_t i = 0; i < count; i++) {
        log_pack_add(&pack, &events[i]);
    }
    if (count > 0 &&
        (pack.body.is_failed ||
         read_all(pack.body.data, pack.body.len, true, again) != count)) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        check_same(&events[i], &again[i]);
    }
    log_pack_deinit(&pack);
    (void)read_all(data, size, false, events);
    return 0;
}
